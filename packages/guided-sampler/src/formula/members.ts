// Turns a candidate set into the token ids it holds, given the distributions it is computed from.
import { descendUntil, mostLikely } from '../numerics/most-likely.ts';
import type { CandidateSet } from './candidate-set.ts';

/** Scores of one source; `logSumExp` makes them log-probabilities (0 when they already are). */
export interface SetSource {
  readonly scores: Float32Array | Float64Array;
  readonly logSumExp: number;
}

function plausibleIds(scores: SetSource['scores'], alpha: number): number[] {
  let max = Number.NEGATIVE_INFINITY;
  for (const value of scores) if (value > max) max = value;
  const least = max + Math.log(alpha);
  const ids: number[] = [];
  for (let id = 0; id < scores.length; id++) {
    const value = scores[id] as number;
    if (value >= least && value > Number.NEGATIVE_INFINITY) ids.push(id);
  }
  return ids;
}

function commonIds(
  a: SetSource['scores'],
  b: SetSource['scores'],
  atLeast: number,
): readonly number[] {
  for (let k = Math.min(2 * atLeast, a.length); ; k = Math.min(k * 4, a.length)) {
    const [top, other] = [mostLikely(a, k), mostLikely(b, k)];
    const rank = new Map(other.map((id, index) => [id, index]));
    // A token is shared from the width at which both lists have it; take the smallest width with enough of them.
    const shared = top
      .flatMap((id, index) => {
        const at = rank.get(id);
        return at === undefined ? [] : [{ id, width: Math.max(index, at) }];
      })
      .sort((x, y) => x.width - y.width);
    const last = shared[atLeast - 1];
    if (last !== undefined) {
      return shared.filter((entry) => entry.width <= last.width).map((entry) => entry.id);
    }
    if (k >= a.length) return shared.map((entry) => entry.id);
  }
}

/** Token ids in the set; `sources` in the order of `setSources`. */
export function membersOf(set: CandidateSet, sources: readonly SetSource[]): readonly number[] {
  if (set.kind === 'tokens') return set.ids;
  const first = sources[0] as SetSource;
  switch (set.kind) {
    case 'plausible':
      return plausibleIds(first.scores, set.alpha);
    case 'topK':
      return mostLikely(first.scores, set.k);
    case 'nucleus':
      return descendUntil(
        first.scores,
        (id) => Math.exp((first.scores[id] as number) - first.logSumExp),
        (mass) => mass >= set.mass,
      );
    case 'common':
      return commonIds(first.scores, (sources[1] as SetSource).scores, set.atLeast);
  }
}
