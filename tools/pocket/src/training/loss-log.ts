// The loss curve of a training as JSON lines, at the steps of train_torch.py's log.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { StepProgress } from '@safeinfer/finetune';

export interface LossLine {
  readonly step: number;
  readonly tokens: number;
  readonly learningRate: number;
  /** Mean over the steps since the line before; a step's is the mean of its micro-batches. */
  readonly loss: number;
  readonly tokensPerSecond: number;
}

/** Appends a line when one is due, and returns it. */
export class LossLog {
  readonly #path: string;
  readonly #every: number;
  #sum = 0;
  #count = 0;

  constructor({ path, every }: { readonly path: string; readonly every: number }) {
    this.#path = path;
    this.#every = every;
  }

  /** Drops lines after `step`: the run goes on from there. */
  rewind(step: number): void {
    if (!existsSync(this.#path)) return;
    const kept = readLossLog(this.#path).filter((line) => line.step <= step);
    writeFileSync(this.#path, kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  step(event: StepProgress, last: number): LossLine | undefined {
    this.#sum += event.loss;
    this.#count++;
    if (event.step % this.#every !== 0 && event.step !== last) return undefined;
    const line: LossLine = {
      step: event.step,
      tokens: event.tokens,
      learningRate: Number(event.learningRate.toPrecision(6)),
      loss: Number((this.#sum / this.#count).toFixed(5)),
      tokensPerSecond: Math.round(event.tokensPerSecond),
    };
    this.#sum = 0;
    this.#count = 0;
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
    return line;
  }
}

export function readLossLog(path: string): LossLine[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LossLine);
}
