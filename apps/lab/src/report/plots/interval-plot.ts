// Rates of every row with their intervals: attack success beside over-refusal.

import { rowLabels } from '../group-records.ts';
import { MEASURE_TITLES } from '../measures.ts';
import type { SummaryRow } from '../summarise.ts';
import { labelMargin } from './label-margin.ts';
import { COLOURS, GRID, type Plots } from './plot-svg.ts';

/** Height of one row of the plot, in pixels. */
const ROW = 26;

export function intervalPlot({ Plot, svg }: Plots, rows: readonly SummaryRow[]): string {
  const labels = rowLabels(rows);
  const points = rows.flatMap((row, i) =>
    (['asr', 'overRefusal'] as const).flatMap((measure) => {
      const rate = row[measure];
      return rate === undefined
        ? []
        : [
            {
              row: labels[i]!,
              measure: MEASURE_TITLES[measure],
              value: 100 * rate.value,
              low: 100 * rate.low,
              high: 100 * rate.high,
              colour: COLOURS[measure],
              // The two measures of a row stand one above the other.
              dy: measure === 'asr' ? -5 : 5,
            },
          ];
    }),
  );
  const marks = [-5, 5].flatMap((dy) => {
    const own = points.filter((point) => point.dy === dy);
    return [
      Plot.ruleY(own, {
        y: 'row',
        x1: 'low',
        x2: 'high',
        stroke: (point: (typeof points)[number]) => point.colour,
        strokeWidth: 2,
        dy,
      }),
      Plot.dot(own, {
        y: 'row',
        x: 'value',
        fill: (point: (typeof points)[number]) => point.colour,
        r: 4,
        dy,
      }),
    ];
  });
  return svg('Attack success and over-refusal of every row with 95 % intervals', {
    width: 860,
    height: 60 + ROW * labels.length,
    marginLeft: labelMargin(labels),
    marginRight: 24,
    marginBottom: 40,
    x: { domain: [0, 100], label: '% (dot) with 95 % Wilson interval', labelAnchor: 'center' },
    y: { domain: labels, label: null },
    color: { type: 'identity' },
    marks: [Plot.gridX(GRID), ...marks],
  });
}
