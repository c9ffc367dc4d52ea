// The tables as text cells, shared by the terminal, Markdown and HTML.
import type { PairedDifference } from '../compare/paired-differences.ts';
import { MEASURE_TITLES } from './measures.ts';
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
  return `${percent(estimate.value)} [${percent(estimate.low)}, ${percent(estimate.high)}]`;
}

export function percent(share: number): string {
  return (100 * share).toFixed(1);
}

/** Percentage points with a sign. */
export function points(difference: number): string {
  const text = percent(Math.abs(difference));
  return difference > 0 ? `+${text}` : difference < 0 ? `−${text}` : text;
}

export function formatP(p: number): string {
  return p < 0.001 ? '<0.001' : p.toFixed(3);
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
    unscoredCell(row),
  ]);
}

/** With the bounds of ASR where an unscored answer could move it. */
function unscoredCell({ unscored, asr }: SummaryRow): string {
  if (asr === undefined || asr.unscored === 0) return String(unscored);
  return `${unscored} (ASR ${percent(asr.bounds.low)} to ${percent(asr.bounds.high)})`;
}

export const DIFFERENCE_COLUMNS = [
  'where',
  'measure',
  'comparison',
  'pairs',
  'points',
  'first only / second only',
  'p',
  'Holm p',
  'detectable',
] as const;

export function differenceCells(comparisons: readonly PairedDifference[]): string[][] {
  return comparisons.map((one) => {
    const { value, low, high } = one.difference;
    return [
      one.context || '–',
      MEASURE_TITLES[one.measure],
      `${one.treatmentName} − ${one.baselineName}`,
      one.unscored === 0 ? String(one.pairs) : `${one.pairs} (${one.unscored} unscored)`,
      `${points(value)} [${points(low)}, ${points(high)}]`,
      `${one.counts.onlyFirst} / ${one.counts.onlySecond}`,
      `${formatP(one.p)}${one.test === 'cluster-t' ? ' (by cluster)' : ''}`,
      formatP(one.holmP ?? one.p),
      one.detectable === null ? '–' : percent(one.detectable),
    ];
  });
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

export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
