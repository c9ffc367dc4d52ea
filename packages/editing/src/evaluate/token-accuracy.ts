// EasyEdit's metrics: teacher-forced token accuracy, and locality as agreement with the model before the edit.
import type { Transformer } from '@safeinfer/transformer';
import { encode, encodeTarget } from '../request/lookup-index.ts';
import { type ScoreOptions, scoreTargets, type TargetItem } from './score-targets.ts';

export interface TokenAccuracyItem {
  readonly prompt: string | readonly number[];
  readonly target: string | readonly number[];
}

/**
 * Per item, the share of target tokens that are the argmax under teacher forcing (EasyEdit's rewrite_acc, rephrase_acc
 * and portability; zsRE's accuracy). It can be a third; never compare it with CounterFact's scores.
 */
export async function tokenAccuracy(
  model: Transformer,
  items: readonly TokenAccuracyItem[],
  options: ScoreOptions = {},
): Promise<number[]> {
  const scores = await scoreTargets(model, itemsOf(model, items), options);
  return scores.map(({ hits }) => hits.filter(Boolean).length / hits.length);
}

/**
 * The argmax at each target position: take it **before any edit** and give it to `localityAccuracy`. Taking it between
 * sequential edits would compare the edited model with itself.
 */
export async function predictedTokens(
  model: Transformer,
  items: readonly TokenAccuracyItem[],
  options: ScoreOptions = {},
): Promise<(readonly number[])[]> {
  const scores = await scoreTargets(model, itemsOf(model, items), options);
  return scores.map(({ predicted }) => predicted);
}

/** Per item, the share of positions whose argmax is what it was before (EasyEdit's locality_acc). */
export function localityAccuracy(
  before: readonly (readonly number[])[],
  after: readonly (readonly number[])[],
): number[] {
  return before.map((tokens, i) => {
    const same = tokens.filter((token, t) => token === after[i]?.[t]).length;
    return same / tokens.length;
  });
}

function itemsOf(model: Transformer, items: readonly TokenAccuracyItem[]): TargetItem[] {
  return items.map(({ prompt, target }) => ({
    prompt: typeof prompt === 'string' ? encode(model, prompt) : prompt,
    target:
      typeof target === 'string'
        ? encodeTarget(model, target.startsWith(' ') ? target : ` ${target}`)
        : target,
  }));
}
