// Times of single decoding steps: of our plans, and of the naive way with one forward per term.
import type { Transformer } from '@safeinfer/transformer';
import { type Expr, evaluateLiteral, type GenerateOptions, stream } from '../src/index.ts';

/**
 * Wall time, or with SAFEINFER_BENCH_CLOCK=cpu the CPU time of this process: comparable on a machine that others use,
 * when every subject has one thread.
 */
export const now: () => number =
  process.env['SAFEINFER_BENCH_CLOCK'] === 'cpu'
    ? () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1000;
      }
    : () => performance.now();

/** Time of every decoding step after the prompt's, in ms. */
export async function stepTimes(
  options: Omit<GenerateOptions, 'maxNewTokens'>,
  steps: number,
): Promise<number[]> {
  const times: number[] = [];
  const rows = options.prompts.length;
  let seen = 0;
  let last = 0;
  for await (const event of stream({
    ...options,
    maxNewTokens: steps + 1,
    ignoreEos: true,
    batchSize: rows,
  })) {
    if (event.type !== 'token' || ++seen % rows !== 0) continue;
    const time = now();
    if (event.step > 0) times.push(time - last);
    last = time;
  }
  return times;
}

/** The way of the released code: two forwards a token, then the formula as written over the whole vocabulary. */
export async function naiveTimes(options: {
  readonly model: Transformer;
  readonly formula: Expr;
  readonly adapter: string;
  readonly prompts: readonly (readonly number[])[];
  readonly steps: number;
}): Promise<number[]> {
  const { model, prompts } = options;
  const caches = [0, 1].map(() => prompts.map(() => model.createCache()));
  const times: number[] = [];
  try {
    let next = prompts.map((p) => [...p]);
    for (let step = 0; step <= options.steps; step++) {
      const start = now();
      const logits: Float32Array[] = [];
      for (const [t, adapter] of [undefined, options.adapter].entries()) {
        using result = model.forward(
          next.map((tokens, i) => ({
            tokens,
            cache: caches[t]?.[i] as ReturnType<Transformer['createCache']>,
            phase: step === 0 ? 'prompt' : 'generation',
            ...(adapter === undefined ? {} : { adapter }),
          })),
        );
        logits.push((await result.lastLogits().data()) as Float32Array);
      }
      const width = model.config.vocabSize;
      next = prompts.map((_, i) => {
        const part = (t: number) =>
          (logits[t] as Float32Array).subarray(i * width, (i + 1) * width);
        const final = evaluateLiteral(options.formula, { safe: part(0), unsafe: part(1) });
        return [
          final.indexOf(Math.max(final.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY))),
        ];
      });
      if (step > 0) times.push(now() - start);
    }
  } finally {
    for (const cache of caches.flat()) cache.dispose();
  }
  return times;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
