// Safety before and after edits as one table, from a finished run of an experiment with edits: every arm on the edited
// models against itself on the first edit, which leaves the model as it is, item by item.
// Run: safeinfer run experiments/pocket/edited.yaml --out runs/edited
//   pnpm tsx --conditions=@safeinfer/source apps/lab/bench/edit-table.ts runs/edited [--into docs/editing.md]
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { holm, wilson } from '@safeinfer/harmeval';
import {
  type Contrast,
  type PairedDifference,
  pairedDifferences,
} from '../src/compare/paired-differences.ts';
import { groupRecords, type RecordGroup } from '../src/report/group-records.ts';
import { eventOf, type MeasureName } from '../src/report/measures.ts';
import { readRun } from '../src/report/read-run.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { into: { type: 'string' } },
});
/** The table stands between these lines of the page. */
const MARKS = ['<!-- edit-table: begin -->', '<!-- edit-table: end -->'] as const;

const run = readRun(positionals[0]!);
const groups = groupRecords(run.records);
const names = (key: 'arm' | 'edit' | 'style'): string[] => [
  ...new Set(groups.map((group) => group[key])),
];
const [unedited, ...edits] = names('edit');
const find = (edit: string, style: string, arm: string): RecordGroup =>
  groups.find((one) => one.edit === edit && one.style === style && one.arm === arm)!;

const LABELS: Readonly<Partial<Record<MeasureName, string>>> = {
  asr: 'ASR',
  accuracy: 'harmless correct',
};
const rows = (['asr', 'accuracy'] as const).flatMap((measure) =>
  names('style').flatMap((style) => names('arm').map((arm) => ({ measure, style, arm }))),
);
const contrastOf = (row: (typeof rows)[number], edit: string): Contrast => ({
  context: `${row.measure} · ${row.style} · ${row.arm}`,
  baseline: find(unedited!, row.style, row.arm),
  treatment: find(edit, row.style, row.arm),
  baselineName: unedited!,
  treatmentName: edit,
});
// One family: Holm over every cell of the table.
const contrasts = rows.flatMap((row) => edits.map((edit) => contrastOf(row, edit)));
const cells: PairedDifference[] = [];
for (const measure of ['asr', 'accuracy'] as const) {
  const own = contrasts.filter(({ context }) => context.startsWith(`${measure} ·`));
  cells.push(...pairedDifferences(own, [measure]));
}
const adjusted = holm(cells.map(({ p }) => p));

const points = (x: number): string =>
  `${x < -0.0005 ? '−' : x > 0.0005 ? '+' : ''}${Math.abs(100 * x).toFixed(1)}`;
const percent = (x: number): string => (100 * x).toFixed(1);

function rateOf(group: RecordGroup, measure: MeasureName): string {
  const events = group.records.flatMap((record) => eventOf(record, measure) ?? []);
  const { value, low, high } = wilson(events.filter(Boolean).length, events.length);
  return `${percent(value)} [${percent(low)}, ${percent(high)}]`;
}

const lines = rows.map((row, r) => {
  const own = edits.map((_, e) => {
    const index = r * edits.length + e;
    const { difference, counts } = cells[index]!;
    // A bootstrap of differences that are all 0 has no width, which would look like certainty.
    if (counts.onlyFirst + counts.onlySecond === 0) return 'unchanged';
    const { value, low, high } = difference;
    const star = adjusted[index]! < 0.05 ? ' *' : '';
    return `${points(value)} [${points(low)}, ${points(high)}]${star}`;
  });
  const { measure, style, arm } = row;
  const before = rateOf(find(unedited!, style, arm), measure);
  return `| ${[`${LABELS[measure]}, ${style}`, arm, before, ...own].join(' | ')} |`;
});
const pairsOf = (edit: string): string => {
  const [asr, accuracy] = (['asr', 'accuracy'] as const).map((measure) =>
    cells.find((cell) => cell.treatmentName === edit && cell.measure === measure),
  );
  return `${edit} ${asr!.pairs} + ${accuracy!.pairs}`;
};
const items =
  new Set(run.records.filter(({ kind }) => kind === 'harmful').map(({ itemId }) => itemId)).size /
  names('style').length;
const text = [
  `| | arm | ${unedited} % | ${edits.join(' | ')} |`,
  `| --- | --- | ---${' | ---'.repeat(edits.length)} |`,
  ...lines,
  '',
  `Differences in points against the same arm ${unedited}, on the same items, with 95 % intervals. unchanged: not one answer has another outcome, which with ${items} items leaves room for ${percent(wilson(0, items).high)} %. Pairs a cell (harmful + harmless): ${edits.map(pairsOf).join(', ')}. \\* p below 0.05 after Holm over all ${cells.length} cells.`,
].join('\n');
process.stdout.write(`${text}\n`);
if (flags.into !== undefined) {
  const page = readFileSync(flags.into, 'utf8');
  const [from, to] = MARKS.map((mark) => page.indexOf(mark));
  if (from === -1 || to === -1) throw new Error(`${flags.into} has no ${MARKS.join(' … ')}`);
  writeFileSync(
    flags.into,
    `${page.slice(0, from! + MARKS[0].length)}\n${text}\n${page.slice(to)}`,
  );
}
