// The k largest entries of a score vector without sorting all of it.

/**
 * Ids of the `k` largest finite entries, largest first; ties by lower id. Shorter when fewer have support.
 * A bounded min-heap: V comparisons, about k log k log(V/k) moves.
 */
export function mostLikely(scores: Float32Array | Float64Array, k: number): number[] {
  if (k <= 0) return [];
  const heap: number[] = [];
  // True when a ranks below b: lower score, or the same score and a higher id.
  const below = (a: number, b: number): boolean => {
    const [x, y] = [scores[a] as number, scores[b] as number];
    return x < y || (x === y && a > b);
  };
  const down = (start: number): void => {
    let at = start;
    for (;;) {
      let least = at;
      const left = 2 * at + 1;
      if (left < heap.length && below(heap[left] as number, heap[least] as number)) least = left;
      if (left + 1 < heap.length && below(heap[left + 1] as number, heap[least] as number)) {
        least = left + 1;
      }
      if (least === at) return;
      const held = heap[at] as number;
      heap[at] = heap[least] as number;
      heap[least] = held;
      at = least;
    }
  };
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id] as number;
    if (!(score > Number.NEGATIVE_INFINITY)) continue;
    if (heap.length < k) {
      heap.push(id);
      if (heap.length === k) for (let i = (k >> 1) - 1; i >= 0; i--) down(i);
    } else if (score > (scores[heap[0] as number] as number)) {
      heap[0] = id;
      down(0);
    }
  }
  return heap.sort((a, b) => (below(a, b) ? 1 : -1));
}

/** How many entries to look at first when the size of a nucleus is unknown. */
const FIRST_GUESS = 64;

/**
 * Ids in descending order until `stop(id, cumulative mass before it)` says so; `probability` gives each one's mass.
 * Looks at 64 entries, then four times as many, and so on: a nucleus is usually small.
 */
export function descendUntil(
  scores: Float32Array | Float64Array,
  probability: (id: number) => number,
  stop: (massBefore: number) => boolean,
): number[] {
  for (let k = FIRST_GUESS; ; k *= 4) {
    const ids = mostLikely(scores, Math.min(k, scores.length));
    let mass = 0;
    for (let i = 0; i < ids.length; i++) {
      if (stop(mass)) return ids.slice(0, i);
      mass += probability(ids[i] as number);
    }
    if (ids.length < k || k >= scores.length) return ids;
  }
}
