// ASR of every arm with its interval, as an SVG dot plot.
import { escapeHtml } from './escape-html.ts';
import type { SummaryRow } from './summarise.ts';

const ROW = 24;
const LABEL = 300;
const PLOT = 480;
const TOP = 28;

export function intervalChart(rows: readonly SummaryRow[]): string {
  const shown = rows.filter((row) => row.asr !== undefined);
  const x = (share: number): number => LABEL + share * PLOT;
  const height = TOP + shown.length * ROW + 8;
  const grid = [0, 0.25, 0.5, 0.75, 1]
    .map(
      (share) =>
        `<line x1="${x(share)}" x2="${x(share)}" y1="${TOP - 6}" y2="${height - 8}" stroke="#8884"/>` +
        `<text x="${x(share)}" y="14" text-anchor="middle">${100 * share} %</text>`,
    )
    .join('');
  const marks = shown
    .map((row, i) => {
      const y = TOP + i * ROW + ROW / 2;
      const { low, high, value } = row.asr!;
      return (
        `<text x="${LABEL - 12}" y="${y + 4}" text-anchor="end">${escapeHtml(`${row.edit} · ${row.style} · ${row.arm}`)}</text>` +
        `<line x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}" stroke="#b3261e" stroke-width="2"/>` +
        `<circle cx="${x(value)}" cy="${y}" r="4" fill="#b3261e"/>`
      );
    })
    .join('\n');
  return `<svg role="img" aria-label="Attack success rate by arm with 95 % intervals" viewBox="0 0 ${LABEL + PLOT + 30} ${height}" font-size="12" font-family="system-ui, sans-serif" fill="currentColor">
${grid}
${marks}
</svg>`;
}
