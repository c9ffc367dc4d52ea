// Clusters near-duplicates, so that twenty wordings of one request do not count as twenty observations.
import { type Dataset, withItems } from './dataset.ts';
import { normalisePrompt } from './item.ts';

/**
 * Single-linkage clusters of prompts whose word sets overlap by at least `threshold` (Jaccard). Each cluster is named by
 * its first item. Cost grows with the number of pairs that share a rare word, not with all pairs.
 */
export function clusterNearDuplicates(dataset: Dataset, threshold = 0.6): Dataset {
  const words = dataset.items.map(
    ({ prompt }) => new Set(normalisePrompt(prompt).match(/[\p{L}\p{N}]+/gu) ?? []),
  );
  const frequency = new Map<string, number>();
  for (const set of words) {
    for (const word of set) frequency.set(word, (frequency.get(word) ?? 0) + 1);
  }
  const parent = dataset.items.map((_, i) => i);
  const root = (i: number): number => {
    let at = i;
    while (parent[at] !== at) at = parent[at] ?? at;
    return at;
  };
  const index = new Map<string, number[]>();
  words.forEach((set, i) => {
    // Prefix filter: two sets with Jaccard >= t share one of the rarest |A| - ceil(t|A|) + 1 words of each.
    const rare = [...set].sort(
      (a, b) => (frequency.get(a) ?? 0) - (frequency.get(b) ?? 0) || (a < b ? -1 : 1),
    );
    const prefix = rare.slice(0, set.size - Math.ceil(threshold * set.size) + 1);
    const candidates = new Set(prefix.flatMap((word) => index.get(word) ?? []));
    for (const j of candidates) {
      if (root(i) !== root(j) && jaccard(set, words[j] ?? new Set()) >= threshold) {
        const [low, high] = [root(i), root(j)].sort((a, b) => a - b) as [number, number];
        parent[high] = low;
      }
    }
    for (const word of prefix) {
      const list = index.get(word);
      if (list === undefined) index.set(word, [i]);
      else list.push(i);
    }
  });
  return withItems(
    dataset,
    dataset.items.map((item, i) => ({
      ...item,
      cluster: dataset.items[root(i)]?.id ?? item.cluster,
    })),
  );
}

function jaccard(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let shared = 0;
  for (const word of a) if (b.has(word)) shared += 1;
  return shared / (a.size + b.size - shared);
}
