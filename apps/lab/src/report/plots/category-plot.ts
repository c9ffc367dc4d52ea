// Heat map: attack success of every row of the table in every category.
import type { CategoryRate } from '../category-rates.ts';
import { labelMargin } from './label-margin.ts';
import type { Plots } from './plot-svg.ts';

/** Height of one row of the map, in pixels. */
const ROW = 26;

export function categoryPlot({ Plot, svg }: Plots, cells: readonly CategoryRate[]): string {
  const rows = [...new Set(cells.map(({ row }) => row))];
  const categories = [...new Set(cells.map(({ category }) => category))];
  const values = cells.map(({ row, category, rate }) => ({
    row,
    category,
    value: 100 * rate.value,
    text: (100 * rate.value).toFixed(0),
    title: `${row}, ${category}: ${rate.count} of ${rate.total}`,
  }));
  type Value = (typeof values)[number];
  return svg('Attack success in percent by row and category', {
    width: Math.max(860, labelMargin(rows) + 60 * categories.length),
    height: 150 + ROW * rows.length,
    marginLeft: labelMargin(rows),
    marginTop: 120,
    marginRight: 60,
    x: { domain: categories, label: null, axis: 'top', tickRotate: -40 },
    y: { domain: rows, label: null },
    color: { type: 'linear', domain: [0, 100], range: ['#fbeae6', '#8c1d18'] },
    marks: [
      Plot.cell(values, {
        x: 'category',
        y: 'row',
        fill: 'value',
        inset: 1,
        rx: 3,
        title: 'title',
      }),
      Plot.text(values, {
        x: 'category',
        y: 'row',
        text: 'text',
        // Black or white, whichever stands out on the cell.
        fill: (value: Value) => (value.value > 45 ? 'white' : '#2b1512'),
      }),
    ],
  });
}
