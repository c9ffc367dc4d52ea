// What each arm costs beside the first one, measured in turns in one run.
import { stream } from '@safeinfer/guided-sampler';
import type { ServedArm } from './served-arms.ts';

export interface DecodeCost {
  readonly arm: string;
  /** Median over rounds, of the tokens after the first of every answer. */
  readonly msPerToken: number;
  readonly msToFirstToken: number;
  /** Median over rounds of this arm's time beside the first arm's in the same round. */
  readonly ratio: number;
  /** Share of the tokens at which the arm's further terms were skipped. */
  readonly skipped: number;
}

interface Measured {
  readonly perToken: number;
  readonly first: number;
  readonly skipped: number;
}

const QUESTIONS = [
  'What is the capital of France?',
  'How do I learn to play the guitar?',
  'Can you name a river in Germany?',
  'What is a good way to sleep better?',
];

async function measure(
  arm: ServedArm,
  options: { readonly batch: number; readonly tokens: number; readonly signal: AbortSignal },
): Promise<Measured> {
  const { plan, render } = arm.served;
  const prompts = Array.from({ length: options.batch }, (_, i) => {
    const content = QUESTIONS[i % QUESTIONS.length] as string;
    const messages = [{ role: 'user', content }];
    return render?.(messages) ?? messages;
  });
  const begun = performance.now();
  let first = 0;
  let last = begun;
  let tokens = 0;
  let skipped = 0;
  for await (const event of stream({
    plan,
    prompts,
    maxNewTokens: options.tokens,
    ignoreEos: true,
    batchSize: options.batch,
    signal: options.signal,
  })) {
    if (event.type !== 'token') continue;
    tokens++;
    last = performance.now();
    if (tokens === options.batch) first = last;
    if (Object.values(event.terms ?? {}).some(({ ran }) => ran === 'skipped')) skipped++;
  }
  options.signal.throwIfAborted();
  return {
    perToken: (last - first) / Math.max(1, tokens - options.batch),
    first: first - begun,
    skipped: skipped / tokens,
  };
}

export async function decodeCosts(options: {
  readonly arms: readonly ServedArm[];
  readonly rounds: number;
  readonly batch: number;
  readonly tokens: number;
  readonly signal: AbortSignal;
  readonly onRound: (done: number) => void;
}): Promise<readonly DecodeCost[]> {
  const { arms, rounds } = options;
  const all = arms.map((): Measured[] => []);
  // Round 0 warms up and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const [index, arm] of arms.entries()) {
      const measured = await measure(arm, options);
      if (round > 0) all[index]?.push(measured);
    }
    options.onRound(round);
  }
  return arms.map(({ name }, index) => {
    const own = all[index] as Measured[];
    return {
      arm: name,
      msPerToken: median(own.map(({ perToken }) => perToken)),
      msToFirstToken: median(own.map(({ first }) => first)),
      ratio: median(own.map(({ perToken }, i) => perToken / (all[0]?.[i]?.perToken ?? perToken))),
      skipped: median(own.map(({ skipped }) => skipped)),
    };
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return ((low as number) + (high as number)) / 2;
}
