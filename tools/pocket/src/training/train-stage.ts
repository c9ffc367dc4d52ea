// One stage of the bundled model's training with our own trainer.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BatchPlan, type FullResult, train, type VisibilityPlan } from '@safeinfer/finetune';
import type { Transformer } from '@safeinfer/transformer';
import { LossLog } from './loss-log.ts';
import type { TrainingCorpus } from './training-corpus.ts';

/** Steps of warm-up. */
const WARMUP = 60;
/** Of the running mean of the weights, which is what a stage that ends before the rate has fallen gives. */
const AVERAGE = 0.99;

export interface Stage {
  /** Steps of the schedule, and where the stage ends. */
  readonly steps: number;
  readonly until: number;
  /** Step at which the rate begins to fall, linearly to zero at `steps`. */
  readonly decayFrom: number;
}

/** The file of the loss curve in a stage's directory. */
const LOG = 'loss.jsonl';

/** Directory of the checkpoint and the log; `continueFrom` is that of the stage before. Resumes when it is run again. */
export async function trainStage(options: {
  readonly model: Transformer;
  readonly corpus: TrainingCorpus;
  readonly stage: Stage;
  readonly batch: BatchPlan;
  readonly visibility: VisibilityPlan;
  readonly seed: number;
  readonly directory: string;
  readonly continueFrom?: string;
  readonly rate: number;
  /**
   * Steps between checkpoints and between lines of the log: a killed run goes on at the start of a line. Default 50,
   * as in train_torch.py.
   */
  readonly every?: number;
}): Promise<FullResult> {
  const { model, corpus, stage, batch, visibility, seed, directory, continueFrom, rate } = options;
  const { every = 50 } = options;
  mkdirSync(directory, { recursive: true });
  const log = new LossLog({ path: join(directory, LOG), every });
  const last = Math.min(stage.steps, stage.until);
  let begun = false;
  const rewind = (step: number): void => {
    if (!begun) log.rewind(step);
    begun = true;
  };
  return await train({
    model,
    data: corpus.data,
    method: { kind: 'full' },
    optimiser: { learningRate: rate, betas: [0.9, 0.98], weightDecay: 0.1 },
    schedule: {
      kind: 'linear',
      warmupSteps: WARMUP,
      warmupFrom: 'first',
      decayFrom: stage.decayFrom,
    },
    batch,
    visibility,
    normalise: 'batches',
    steps: stage.steps,
    until: stage.until,
    average: AVERAGE,
    seed,
    checkpoint: {
      directory,
      everySteps: every,
      ...(continueFrom === undefined ? {} : { continueFrom }),
    },
    onProgress: (event) => {
      if (event.kind === 'resumed') rewind(event.step);
      if (event.kind !== 'step') return;
      rewind(event.step - 1);
      const line = log.step(event, last);
      if (line !== undefined) {
        const minutesLeft = Math.round(event.secondsLeft / 60);
        console.log(JSON.stringify({ ...line, minutesLeft }));
      }
    },
  });
}

/** The checkpoint directory of a run's stage. */
export function stageDirectory(run: string, index: number): string {
  return join(run, `stage-${index + 1}`);
}
