// The result table as text cells, shared by the terminal, Markdown and HTML.
import type { Rate, SummaryRow } from './summarise.ts';

export const COLUMNS = [
  'edit',
  'prompt style',
  'arm',
  'n',
  'ASR %',
  'neither %',
  'harmless refused %',
  'harmless correct %',
  'unscored',
] as const;

/** `12.5 [5.0, 24.1]`, percent with the Wilson 95 % interval; a dash where nothing was measured. */
export function formatRate(rate: Rate | undefined): string {
  return formatEstimate(rate);
}

export function formatEstimate(
  estimate:
    | { readonly value: number; readonly low: number; readonly high: number }
    | null
    | undefined,
): string {
  if (!estimate) return '–';
  const percent = (x: number): string => (100 * x).toFixed(1);
  return `${percent(estimate.value)} [${percent(estimate.low)}, ${percent(estimate.high)}]`;
}

export function tableCells(rows: readonly SummaryRow[]): string[][] {
  return rows.map((row) => [
    row.edit,
    row.style,
    row.arm,
    [row.asr, row.overRefusal].map((rate) => rate?.total ?? 0).join(' + '),
    formatRate(row.asr),
    formatRate(row.other),
    formatRate(row.overRefusal),
    formatRate(row.accuracy),
    String(row.unscored),
  ]);
}

/** Columns padded to their widest cell. */
export function terminalTable(rows: readonly SummaryRow[]): string {
  return textTable([[...COLUMNS], ...tableCells(rows)]);
}

/** The first row is the header. */
export function textTable(cells: readonly (readonly string[])[]): string {
  const [header = [], ...body] = cells;
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  return [
    line(header),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...body.map(line),
  ].join('\n');
}

export function markdownTable(rows: readonly SummaryRow[]): string {
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(COLUMNS), line(COLUMNS.map(() => '---')), ...tableCells(rows).map(line)].join('\n');
}
