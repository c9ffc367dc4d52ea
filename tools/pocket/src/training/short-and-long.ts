// The batches of the bundled model's training: short and long documents weigh alike in every step.
import { type BatchPlan, microBatches, mixSeeds, permutation } from '@safeinfer/finetune';

/** Documents up to this length form the short micro-batch of each step. */
const SHORT = 64;
/** Documents sorted by length together. */
const WINDOW = 1024;

/** One micro-batch of short and one of long documents a step, each in a seeded order of its own. */
export function shortAndLong(options: {
  readonly lengths: readonly number[];
  /** Tokens per micro-batch, padding included. */
  readonly budget: number;
  readonly seed: number;
}): BatchPlan {
  const { lengths, budget, seed } = options;
  const batches = [true, false].map((short) => {
    const own = [...lengths.keys()].filter((i) => (lengths[i] as number) <= SHORT === short);
    const order = [...permutation(own.length, mixSeeds(seed, Number(short)))].map(
      (i) => own[i] as number,
    );
    const found: number[][] = [];
    for (let start = 0; start < order.length; start += WINDOW) {
      const window = microBatches(order.slice(start, start + WINDOW), lengths, budget);
      const places = permutation(window.length, mixSeeds(seed, Number(short), start));
      for (const place of places) found.push(window[place] as number[]);
    }
    return found;
  });
  return {
    name: JSON.stringify({ SHORT, budget, WINDOW, seed }),
    step: (index) =>
      batches
        .filter((list) => list.length > 0)
        .map((list) => list[index % list.length] as number[]),
  };
}
