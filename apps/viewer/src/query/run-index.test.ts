import { describe, expect, it } from 'vitest';
import type { TrialHead } from '../schema/trial-record.ts';
import { asrOf, cellsOf, rowsOf } from './cells.ts';
import { disagreementQueue } from './disagreements.ts';
import { itemQueryFrom } from './item-query.ts';
import { findItem, itemRow } from './item-row.ts';
import { outcomeOfMark, packMark, unpackMark } from './mark.ts';
import { packIndex, unpackIndex } from './packed-index.ts';
import { createIndexBuilder, type RunIndex } from './run-index.ts';
import { selectItems } from './select-items.ts';
import { rateOf } from './wilson.ts';

const trial = (fields: Partial<TrialHead>): TrialHead => ({
  schema: 1,
  arm: 'base',
  edit: 'none',
  style: 'simple',
  benchmark: 'b',
  itemId: 'x',
  category: 'c',
  kind: 'harmful',
  prompt: '',
  output: '',
  finishReason: 'stop',
  tokensIn: 1,
  tokensOut: 1,
  judge: 'j',
  outcome: 'refused',
  ...fields,
});
const verdict = (outcome: TrialHead['outcome']) => ({ judge: outcome, status: 'ok', outcome });

function indexOf(records: readonly Partial<TrialHead>[]): RunIndex {
  const builder = createIndexBuilder();
  for (const record of records) builder.add(trial(record));
  return builder.index;
}

// x: arms agree. y: arms differ. z: one judge contradicts. w: unscored, in one arm only. v: harmless, second style.
const index = indexOf([
  { itemId: 'x' },
  { itemId: 'x', arm: 'SA' },
  { itemId: 'y', outcome: 'complied' },
  { itemId: 'y', arm: 'SA' },
  { itemId: 'z', verdicts: [verdict('refused'), verdict('complied')] },
  { itemId: 'z', arm: 'SA', verdicts: [verdict('refused'), verdict('unscored')] },
  { itemId: 'w', outcome: 'unscored' },
  {
    itemId: 'v',
    style: 'other',
    kind: 'harmless',
    category: 'd',
    outcome: 'refused',
    correct: false,
  },
]);
const ids = (items: readonly number[]): string[] => items.map((item) => index.itemIds[item]!);

describe('a run by columns', () => {
  it('keeps one item for all arms, and a place for records that are missing', () => {
    expect(index.itemIds).toEqual(['x', 'y', 'z', 'w', 'v']);
    expect(index.columns).toEqual([
      { edit: 'none', arm: 'base' },
      { edit: 'none', arm: 'SA' },
    ]);
    const row = itemRow({ index, item: 3, prompt: 'p', masked: false });
    expect(row.marks.map(outcomeOfMark)).toEqual(['unscored', undefined]);
  });

  it('tells items of the same id in different styles and benchmarks apart', () => {
    const two = indexOf([
      { itemId: 'x' },
      { itemId: 'x', style: 's2' },
      { itemId: 'x', benchmark: 'b2' },
    ]);
    expect(two.itemIds).toHaveLength(3);
    expect(findItem(two, { itemId: 'x', style: 's2', benchmark: 'b' })).toBe(1);
    expect(findItem(two, { itemId: 'x', style: 's2', benchmark: 'b2' })).toBe(-1);
  });

  it('replaces a record that comes again', () => {
    const again = indexOf([{ outcome: 'complied' }, { outcome: 'refused' }]);
    expect(cellsOf(again)[0]?.harmful).toMatchObject({ refused: 1, complied: 0 });
  });

  it('survives the way through an export', () => {
    expect(unpackIndex(JSON.parse(JSON.stringify(packIndex(index))))).toEqual(index);
  });

  it('packs every mark into printable bits', () => {
    for (const outcome of ['refused', 'complied', 'other', 'unscored', undefined] as const) {
      for (const correct of [true, false, undefined]) {
        for (const flag of [true, false]) {
          const mark = { outcome, correct, judgesDisagree: flag, hasTokens: !flag };
          expect(unpackMark(packMark(mark))).toEqual(mark);
        }
      }
    }
  });
});

describe('selectItems', () => {
  const select = (query: Parameters<typeof selectItems>[1]) => ids(selectItems(index, query));

  it('filters by outcome in one arm, not in another', () => {
    expect(select({ outcome: 'complied' })).toEqual(['y']);
    expect(select({ outcome: 'complied', arm: 'SA' })).toEqual([]);
    expect(select({ arm: 'SA' })).toEqual(['x', 'y', 'z']);
  });

  it('filters by category, style and kind', () => {
    expect(select({ category: 'd' })).toEqual(['v']);
    expect(select({ style: 'simple', kind: 'harmful' })).toEqual(['x', 'y', 'z', 'w']);
    expect(select({ kind: 'harmless' })).toEqual(['v']);
  });

  it('selects nothing for a name that does not occur', () => {
    expect(select({ category: 'nowhere' })).toEqual([]);
    expect(select({ arm: 'nowhere' })).toEqual([]);
  });

  it('finds disagreement of arms, of judges and unscored answers', () => {
    expect(select({ disagree: 'arms' })).toEqual(['y']);
    expect(select({ disagree: 'judges' })).toEqual(['z']);
    expect(select({ disagree: 'unscored' })).toEqual(['w']);
    expect(select({ disagree: 'any' })).toEqual(['y', 'z', 'w']);
    // The arm that is shown does not take the other arm out of the comparison.
    expect(select({ disagree: 'arms', arm: 'SA' })).toEqual(['y']);
  });

  it('takes the items of a text search', () => {
    expect(ids(selectItems(index, {}, new Set([1, 4])))).toEqual(['y', 'v']);
  });

  it('reads a query from an address and drops empty values', () => {
    const params = new URLSearchParams('arm=SA&outcome=&other=1&q=text');
    expect(itemQueryFrom((name) => params.get(name))).toEqual({ arm: 'SA', q: 'text' });
  });
});

describe('disagreementQueue', () => {
  it('puts unscored before judges before arms, and lists an arm-differing item in every arm', () => {
    const queue = disagreementQueue(index).map(({ item, column, reason }) => [
      index.itemIds[item],
      column,
      reason,
    ]);
    expect(queue.slice(0, 2)).toEqual([
      ['w', 0, 'unscored'],
      ['z', 0, 'judges'],
    ]);
    expect(queue.slice(2).sort()).toEqual([
      ['y', 0, 'arms'],
      ['y', 1, 'arms'],
    ]);
  });

  it('mixes the arms: neighbours in the queue are not neighbours in the run', () => {
    const many = indexOf(
      Array.from({ length: 200 }, (_, i) => [
        { itemId: `i${i}`, outcome: 'complied' as const },
        { itemId: `i${i}`, arm: 'SA' },
      ]).flat(),
    );
    const queue = disagreementQueue(many);
    const sameItemNext = queue.filter((entry, i) => queue[i + 1]?.item === entry.item).length;
    expect(queue).toHaveLength(400);
    expect(sameItemNext).toBeLessThan(20);
    expect(disagreementQueue(many)).toEqual(queue);
  });
});

describe('rates', () => {
  it('gives the published Wilson interval of 6 in 550, and one-sided ends', () => {
    const rate = rateOf(6, 550)!;
    expect([100 * rate.low, 100 * rate.high].map((end) => end.toFixed(1))).toEqual(['0.5', '2.4']);
    expect(rateOf(0, 10)?.low).toBe(0);
    expect(rateOf(10, 10)?.high).toBe(1);
    expect(rateOf(0, 0)).toBeUndefined();
  });

  it('never counts unscored or other answers as safe', () => {
    const cells = cellsOf(indexOf([{ outcome: 'other' }, { itemId: 'u', outcome: 'unscored' }]));
    expect(asrOf(cells[0]!)).toMatchObject({ count: 0, total: 1 });
    expect(rowsOf(index, cellsOf(index)).map(({ arm, unscored }) => [arm, unscored])).toEqual([
      ['base', 1],
      ['SA', 0],
      ['base', 0],
    ]);
  });

  it('pools benchmarks in the main table and counts accuracy over harmless answers only', () => {
    const pooled = indexOf([
      { benchmark: 'b1', outcome: 'complied' },
      { benchmark: 'b2' },
      { benchmark: 'b3', kind: 'harmless', outcome: 'complied', correct: true },
    ]);
    expect(rowsOf(pooled, cellsOf(pooled))).toMatchObject([
      { asr: { count: 1, total: 2 }, accuracy: { count: 1, total: 1 } },
    ]);
  });
});
