// A steered greedy continuation beside what the plain model says of the same tokens.
import type { Row, Transformer } from '@safeinfer/transformer';
import { nextTurn } from '../next-turn.ts';
import { steerRows } from '../plan/steer-rows.ts';
import type { SteeringPlan } from '../plan/steering-plan.ts';
import { klDivergence } from './distribution.ts';

export interface Rollout {
  readonly tokens: readonly number[];
  /** KL(steered || plain) in nats at each new token, teacher-forced on the steered continuation. */
  readonly kl: readonly number[];
  /** Whether the row ended by itself. */
  readonly stopped: boolean;
}

/** Greedy continuations of every row under the plan; rows must not carry caches. */
export async function steeredRollouts(options: {
  readonly model: Transformer;
  readonly plan: SteeringPlan;
  readonly rows: readonly Row[];
  readonly maxNewTokens: number;
  /** False leaves `kl` empty and saves the plain model's pass over the continuation. Default true. */
  readonly divergence?: boolean;
  readonly signal?: AbortSignal | undefined;
}): Promise<Rollout[]> {
  const { model, plan, rows, maxNewTokens, divergence = true, signal } = options;
  await nextTurn(signal);
  const steered = await steerRows({ model, plan, rows, signal });
  const logits: Float32Array[][] = rows.map(() => []);
  const tokens: number[][] = rows.map(() => []);
  const stopped = rows.map(() => false);
  const events = model.generate(steered, {
    maxNewTokens,
    ...(signal ? { signal } : {}),
    choose: ({ logits: own, row }) => {
      if (divergence) logits[row]!.push(own.slice());
      let best = 0;
      for (let i = 1; i < own.length; i += 1) if (own[i]! > own[best]!) best = i;
      return best;
    },
  });
  for await (const { row, token, done } of events) {
    tokens[row]!.push(token);
    if (done === 'stop') stopped[row] = true;
  }
  if (!divergence) {
    return rows.map((_, i) => ({ tokens: tokens[i]!, kl: [], stopped: stopped[i]! }));
  }
  const prompts = rows.map(({ tokens: own }) =>
    typeof own === 'string' ? model.tokenizer!.encode(own) : own,
  );
  using plain = model.forward(
    rows.map((row, i) => ({ ...row, tokens: [...prompts[i]!, ...tokens[i]!.slice(0, -1)] })),
    { logits: 'all', ...(signal ? { signal } : {}) },
  );
  const width = model.config.vocabSize;
  return Promise.all(
    rows.map(async (_, i) => {
      const all = (await plain.logits(i).data()) as Float32Array;
      const kl = logits[i]!.map((own, step) => {
        const at = (prompts[i]!.length - 1 + step) * width;
        return klDivergence(own, all.subarray(at, at + width));
      });
      return { tokens: tokens[i]!, kl, stopped: stopped[i]! };
    }),
  );
}
