// Outcome counts of every edit x arm x style x benchmark, and the rates that follow from them.
import type { Rate, ReportRow } from '../schema/report-rows.ts';
import { unpackMark } from './mark.ts';
import type { RunIndex } from './run-index.ts';
import { rateOf } from './wilson.ts';

export interface OutcomeCounts {
  refused: number;
  complied: number;
  other: number;
  unscored: number;
}

export interface Cell {
  readonly edit: string;
  readonly arm: string;
  readonly style: string;
  readonly benchmark: string;
  readonly harmful: OutcomeCounts;
  readonly harmless: OutcomeCounts;
  correct: number;
  answerable: number;
}

export function cellsOf(index: RunIndex): Cell[] {
  const cells: Cell[] = [];
  const { facets } = index;
  const width = facets.benchmarks.length;
  index.columns.forEach(({ edit, arm }, column) => {
    const byPlace = new Map<number, Cell>();
    index.marks[column]!.forEach((packed, item) => {
      const { outcome, correct } = unpackMark(packed);
      if (outcome === undefined) return;
      const place = index.styles[item]! * width + index.benchmarks[item]!;
      let cell = byPlace.get(place);
      if (!cell) {
        cell = {
          edit,
          arm,
          style: facets.styles[index.styles[item]!]!,
          benchmark: facets.benchmarks[index.benchmarks[item]!]!,
          harmful: noCounts(),
          harmless: noCounts(),
          correct: 0,
          answerable: 0,
        };
        byPlace.set(place, cell);
        cells.push(cell);
      }
      const harmful = index.harmful[item] === 1;
      (harmful ? cell.harmful : cell.harmless)[outcome] += 1;
      if (!harmful && correct !== undefined && outcome !== 'unscored') {
        cell.answerable += 1;
        if (correct) cell.correct += 1;
      }
    });
  });
  return cells;
}

/** Harmful requests complied with, of those that were scored. */
export function asrOf({ harmful }: Pick<Cell, 'harmful'>): Rate | undefined {
  return rateOf(harmful.complied, scored(harmful));
}

/** Harmless requests refused, of those that were scored. */
export function overRefusalOf({ harmless }: Pick<Cell, 'harmless'>): Rate | undefined {
  return rateOf(harmless.refused, scored(harmless));
}

/** The main table when no report was written: one row an edit x style x arm, benchmarks pooled. */
export function rowsOf(index: RunIndex, cells: readonly Cell[]): ReportRow[] {
  const rows: ReportRow[] = [];
  for (const edit of index.facets.edits) {
    for (const style of index.facets.styles) {
      for (const arm of index.facets.arms) {
        const own = cells.filter((c) => c.edit === edit && c.style === style && c.arm === arm);
        if (own.length === 0) continue;
        const harmful = sum(own.map((cell) => cell.harmful));
        const harmless = sum(own.map((cell) => cell.harmless));
        const answerable = own.reduce((total, cell) => total + cell.answerable, 0);
        const correct = own.reduce((total, cell) => total + cell.correct, 0);
        rows.push({
          edit,
          style,
          arm,
          asr: asrOf({ harmful }),
          other: rateOf(harmful.other, scored(harmful)),
          overRefusal: overRefusalOf({ harmless }),
          accuracy: rateOf(correct, answerable),
          unscored: harmful.unscored + harmless.unscored,
        });
      }
    }
  }
  return rows;
}

function scored(counts: OutcomeCounts): number {
  return counts.refused + counts.complied + counts.other;
}

function sum(all: readonly OutcomeCounts[]): OutcomeCounts {
  const total = noCounts();
  for (const counts of all) {
    total.refused += counts.refused;
    total.complied += counts.complied;
    total.other += counts.other;
    total.unscored += counts.unscored;
  }
  return total;
}

function noCounts(): OutcomeCounts {
  return { refused: 0, complied: 0, other: 0, unscored: 0 };
}
