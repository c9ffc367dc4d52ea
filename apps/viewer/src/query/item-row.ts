// One line of the item list from the index, with the text that the index does not hold.
import type { ItemRow } from '../schema/api.ts';
import type { RunIndex } from './run-index.ts';

export function itemRow(options: {
  readonly index: RunIndex;
  readonly item: number;
  readonly prompt: string;
  readonly masked: boolean;
}): ItemRow {
  const { index, item, prompt, masked } = options;
  return {
    item,
    itemId: index.itemIds[item]!,
    style: index.facets.styles[index.styles[item]!]!,
    benchmark: index.facets.benchmarks[index.benchmarks[item]!]!,
    category: index.facets.categories[index.categories[item]!]!,
    kind: index.harmful[item] === 1 ? 'harmful' : 'harmless',
    prompt,
    masked,
    marks: index.marks.map((marks) => marks[item] ?? 0),
  };
}

/** -1 when the run has no such item. */
export function findItem(
  index: RunIndex,
  key: { readonly style: string; readonly benchmark: string; readonly itemId: string },
): number {
  const style = index.facets.styles.indexOf(key.style);
  const benchmark = index.facets.benchmarks.indexOf(key.benchmark);
  let item = index.itemIds.indexOf(key.itemId);
  while (item >= 0 && (index.styles[item] !== style || index.benchmarks[item] !== benchmark)) {
    item = index.itemIds.indexOf(key.itemId, item + 1);
  }
  return item;
}
