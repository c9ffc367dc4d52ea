// The tables of packages/editing/EVALUATION.md that pocket-sequence.ts measured, from the rows it left.
// Run: pnpm tsx --conditions=@safeinfer/source packages/editing/bench/sequence-tables.ts packages/editing/bench/pocket-sequence.jsonl
//   [--into packages/editing/EVALUATION.md]
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { wilson } from '@safeinfer/harmeval';
import type { Count, SequenceRow } from './sequence-row.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { into: { type: 'string' } },
});
/** A run repeated is a row replaced: the last one counts. */
const rows = new Map<string, SequenceRow>();
for (const line of readFileSync(positionals[0]!, 'utf8').trim().split('\n')) {
  const row = JSON.parse(line) as SequenceRow;
  if (row.facts === 'test')
    rows.set(`${row.method} ${row.layers} ${row.setting} ${row.after}`, row);
}

const of = ([won, all]: Count): string => `${won}/${all}`;
const percent = (x: number): string => (100 * x).toFixed(1);
function withInterval([won, all]: Count): string {
  const { low, high } = wilson(won, all);
  return `${percent(won / all)} [${percent(low)}, ${percent(high)}]`;
}
function points({ harmless, harmlessBefore }: SequenceRow): string {
  return (100 * (harmless[0] / harmless[1] - harmlessBefore[0] / harmlessBefore[1])).toFixed(2);
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...lines.map(line)].join('\n');
}

const HELD = { method: 'alphaEdit', layers: '5,6', setting: 'threshold 0.3, l2 40' };
const all = [...rows.values()];
const tables: Readonly<Record<string, string>> = {
  held: table(
    [
      ...['after', 'efficacy', 'paraphrase', 'neighbourhood'],
      ...['harmless correct, % [Wilson 95 %]', 'other facts of the edited subjects'],
    ],
    all
      .filter(({ method, layers, setting }) => {
        return method === HELD.method && `${layers}` === HELD.layers && setting === HELD.setting;
      })
      .map((row) => [
        ...[`${row.after}`, of(row.efficacy), of(row.paraphrase), of(row.neighbourhood)],
        ...[withInterval(row.harmless), of(row.sameSubject)],
      ]),
  ),
  curves: table(
    [
      ...[
        'editor, layers',
        'after',
        'taken at once',
        'efficacy',
        'paraphrase',
        'neighbourhood',
        'harmless, points',
      ],
      ...['McNemar p', 'perplexity, times', 'largest relative change of a weight'],
    ],
    all.map((row) => [
      `${row.method} ${row.layers.join(', ')}`,
      ...[`${row.after}`, `${row.taken}`],
      ...[of(row.efficacy), of(row.paraphrase), of(row.neighbourhood)],
      ...[points(row), row.mcnemarP.toPrecision(2)],
      ...[row.perplexityRatio.toFixed(3), row.relativeChange.toFixed(3)],
    ]),
  ),
};

let page = flags.into === undefined ? '' : readFileSync(flags.into, 'utf8');
for (const [name, text] of Object.entries(tables)) {
  if (flags.into === undefined) {
    console.log(`${name}:\n${text}\n`);
    continue;
  }
  const marks = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`] as const;
  const [from, to] = marks.map((mark) => page.indexOf(mark));
  if (from! < 0 || to! < from!) throw new Error(`${flags.into} lacks ${marks.join(' and ')}`);
  page = `${page.slice(0, from! + marks[0].length)}\n${text}\n${page.slice(to)}`;
}
if (flags.into !== undefined) writeFileSync(flags.into, page);
