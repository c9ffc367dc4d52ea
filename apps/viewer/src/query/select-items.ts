// The items that answer a query, in the order of the run.
import { armsDisagree } from './disagreements.ts';
import type { ItemQuery } from './item-query.ts';
import { judgesDisagree, outcomeOfMark } from './mark.ts';
import type { RunIndex } from './run-index.ts';

/**
 * @param matching items whose text contains the query's `q`; the index itself keeps no text. Absent: all.
 */
export function selectItems(
  index: RunIndex,
  query: ItemQuery,
  matching?: { has(item: number): boolean },
): number[] {
  const style = position(index.facets.styles, query.style);
  const benchmark = position(index.facets.benchmarks, query.benchmark);
  const category = position(index.facets.categories, query.category);
  const harmful = query.kind === undefined ? undefined : query.kind === 'harmful' ? 1 : 0;
  const inEdit = columnsWhere(index, ({ edit }) => query.edit === undefined || edit === query.edit);
  const shown = inEdit.filter(
    (column) => query.arm === undefined || index.columns[column]!.arm === query.arm,
  );
  const asksColumn =
    query.edit !== undefined || query.arm !== undefined || query.outcome !== undefined;
  const selected: number[] = [];
  for (let item = 0; item < index.itemIds.length; item += 1) {
    if (style !== undefined && index.styles[item] !== style) continue;
    if (benchmark !== undefined && index.benchmarks[item] !== benchmark) continue;
    if (category !== undefined && index.categories[item] !== category) continue;
    if (harmful !== undefined && index.harmful[item] !== harmful) continue;
    if (asksColumn && !shown.some((column) => answers(index, item, column, query.outcome)))
      continue;
    if (query.disagree !== undefined && !disagrees(index, item, query.disagree, inEdit, shown)) {
      continue;
    }
    if (matching && !matching.has(item)) continue;
    selected.push(item);
  }
  return selected;
}

function answers(index: RunIndex, item: number, column: number, outcome?: string): boolean {
  const found = outcomeOfMark(index.marks[column]![item] ?? 0);
  return found !== undefined && (outcome === undefined || found === outcome);
}

function disagrees(
  index: RunIndex,
  item: number,
  how: string,
  inEdit: readonly number[],
  shown: readonly number[],
): boolean {
  const some = (test: (mark: number) => boolean): boolean =>
    shown.some((column) => test(index.marks[column]![item] ?? 0));
  // One arm cannot differ from itself: arms are compared over the whole edit, whichever arm is shown.
  const arms = (): boolean => armsDisagree(index, item, inEdit);
  const unscored = (): boolean => some((mark) => outcomeOfMark(mark) === 'unscored');
  if (how === 'arms') return arms();
  if (how === 'judges') return some(judgesDisagree);
  if (how === 'unscored') return unscored();
  return arms() || unscored() || some(judgesDisagree);
}

function columnsWhere(
  index: RunIndex,
  test: (column: { readonly edit: string; readonly arm: string }) => boolean,
): number[] {
  return index.columns.flatMap((column, number) => (test(column) ? [number] : []));
}

/** -1 for a name that does not occur: it selects nothing, instead of everything. */
function position(names: readonly string[], name: string | undefined): number | undefined {
  return name === undefined ? undefined : names.indexOf(name);
}
