// A run by columns: per item its names as small numbers, per edit x arm one mark an item. No text is kept.
import type { TrialHead } from '../schema/trial-record.ts';
import { packMark } from './mark.ts';

export interface ColumnKey {
  readonly edit: string;
  readonly arm: string;
}

/** Every name that occurs, in the order of its first record. */
export interface Facets {
  readonly edits: readonly string[];
  readonly arms: readonly string[];
  readonly styles: readonly string[];
  readonly benchmarks: readonly string[];
  readonly categories: readonly string[];
}

/** An item is one question in one style of one benchmark; numbers index the facets. */
export interface RunIndex {
  readonly facets: Facets;
  readonly columns: readonly ColumnKey[];
  readonly itemIds: readonly string[];
  readonly styles: readonly number[];
  readonly benchmarks: readonly number[];
  readonly categories: readonly number[];
  /** 1 = harmful. */
  readonly harmful: readonly number[];
  /** columns x items; a missing or zero mark is an item without a record there. */
  readonly marks: readonly (readonly number[])[];
}

export interface IndexBuilder {
  readonly index: RunIndex;
  /** Adds a record and says where it went. A second record of the same trial replaces the first. */
  add(record: TrialHead): { readonly item: number; readonly column: number };
  /** Number of an item; undefined when no record named it. */
  find(item: Pick<TrialHead, 'style' | 'benchmark' | 'itemId'>): number | undefined;
}

export function createIndexBuilder(): IndexBuilder {
  const edits = nameTable();
  const arms = nameTable();
  const styles = nameTable();
  const benchmarks = nameTable();
  const categories = nameTable();
  const columns: ColumnKey[] = [];
  const columnOf = new Map<string, number>();
  const itemOf = new Map<string, number>();
  const index = {
    facets: {
      edits: edits.names,
      arms: arms.names,
      styles: styles.names,
      benchmarks: benchmarks.names,
      categories: categories.names,
    },
    columns,
    itemIds: [] as string[],
    styles: [] as number[],
    benchmarks: [] as number[],
    categories: [] as number[],
    harmful: [] as number[],
    marks: [] as number[][],
  };

  const itemNumber = (record: TrialHead): number => {
    const style = styles.number(record.style);
    const benchmark = benchmarks.number(record.benchmark);
    const key = `${style} ${benchmark} ${record.itemId}`;
    const known = itemOf.get(key);
    if (known !== undefined) return known;
    const item = index.itemIds.length;
    itemOf.set(key, item);
    index.itemIds.push(record.itemId);
    index.styles.push(style);
    index.benchmarks.push(benchmark);
    index.categories.push(categories.number(record.category));
    index.harmful.push(record.kind === 'harmful' ? 1 : 0);
    for (const marks of index.marks) marks.push(0);
    return item;
  };

  const columnNumber = ({ edit, arm }: TrialHead): number => {
    const key = `${edits.number(edit)} ${arms.number(arm)}`;
    const known = columnOf.get(key);
    if (known !== undefined) return known;
    columnOf.set(key, columns.length);
    columns.push({ edit, arm });
    index.marks.push(new Array<number>(index.itemIds.length).fill(0));
    return columns.length - 1;
  };

  return {
    index,
    add(record) {
      const item = itemNumber(record);
      const column = columnNumber(record);
      index.marks[column]![item] = packMark({
        outcome: record.outcome,
        judgesDisagree: verdictsDiffer(record),
        correct: record.correct,
        hasTokens: (record.tokens?.length ?? 0) > 0,
      });
      return { item, column };
    },
    find: ({ style, benchmark, itemId }) =>
      itemOf.get(
        `${index.facets.styles.indexOf(style)} ${index.facets.benchmarks.indexOf(benchmark)} ${itemId}`,
      ),
  };
}

/** A judge that could not decide does not disagree: that is `unscored`, and counted apart. */
function verdictsDiffer({ verdicts = [] }: TrialHead): boolean {
  const decided = new Set(
    verdicts.flatMap(({ outcome }) => (outcome === 'unscored' ? [] : [outcome])),
  );
  return decided.size > 1;
}

function nameTable(): { readonly names: string[]; number(name: string): number } {
  const names: string[] = [];
  const numbers = new Map<string, number>();
  return {
    names,
    number(name) {
      const known = numbers.get(name);
      if (known !== undefined) return known;
      numbers.set(name, names.length);
      names.push(name);
      return names.length - 1;
    },
  };
}
