// A dose-response curve: rates over the one number in which the arms differ.
import type { DoseSeries } from '../dose-series.ts';
import { MEASURE_TITLES } from '../measures.ts';
import { COLOURS, GRID, type Plots } from './plot-svg.ts';

export function dosePlot({ Plot, svg }: Plots, { parameter, points }: DoseSeries): string {
  const values = points.map(({ dose, measure, rate }) => ({
    dose,
    measure: MEASURE_TITLES[measure],
    colour: COLOURS[measure],
    value: 100 * rate.value,
    low: 100 * rate.low,
    high: 100 * rate.high,
  }));
  type Value = (typeof values)[number];
  const colour = (value: Value): string => value.colour;
  return svg(`Rates over ${parameter}`, {
    width: 720,
    height: 340,
    marginLeft: 56,
    marginRight: 24,
    marginBottom: 48,
    x: { label: parameter, labelAnchor: 'center' },
    y: { domain: [0, 100], label: '%' },
    color: { type: 'identity' },
    marks: [
      Plot.gridY(GRID),
      Plot.ruleX(values, { x: 'dose', y1: 'low', y2: 'high', stroke: colour, strokeOpacity: 0.5 }),
      Plot.line(values, { x: 'dose', y: 'value', stroke: colour, z: 'measure', strokeWidth: 2 }),
      Plot.dot(values, { x: 'dose', y: 'value', fill: colour, r: 4 }),
    ],
  });
}
