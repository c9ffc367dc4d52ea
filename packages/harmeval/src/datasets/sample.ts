// Seeded samples of a dataset, whole or per category, as the published set-ups take them.
import { deriveSeed, sha256 } from '../canonical-hash.ts';
import { HarmEvalError } from '../harm-eval-error.ts';
import { seededRandom, shuffled } from '../seeded-random.ts';
import { type Dataset, withItems } from './dataset.ts';
import type { Item } from './item.ts';

export interface SampleOptions {
  /** Most items per category (the paper takes up to 100); or in all when `stratified` is false. */
  readonly limit: number;
  readonly seed: number;
  readonly stratified?: boolean;
}

/** Draws without replacement; which items are drawn does not depend on file order. Original order is kept. */
export function sampleDataset(dataset: Dataset, options: SampleOptions): Dataset {
  const { limit, seed, stratified = true } = options;
  if (!Number.isInteger(limit) || limit < 1) {
    throw new HarmEvalError(`sample limit ${limit} is not a positive integer`, {
      code: 'BAD_ARGUMENT',
      hint: 'pass how many items to keep, 1 or more',
    });
  }
  const groups = groupItems(dataset.items, (item) => (stratified ? item.category : null));
  const kept = new Set<string>();
  for (const [category, group] of groups) {
    const canonical = [...group].sort((a, b) => (sha256(a.id) < sha256(b.id) ? -1 : 1));
    const random = seededRandom(deriveSeed({ seed, category }));
    for (const item of shuffled<Item>(canonical, random).slice(0, limit)) kept.add(item.id);
  }
  return withItems(
    dataset,
    dataset.items.filter((item) => kept.has(item.id)),
  );
}

function groupItems(
  items: readonly Item[],
  key: (item: Item) => string | null,
): Map<string | null, Item[]> {
  const groups = new Map<string | null, Item[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
