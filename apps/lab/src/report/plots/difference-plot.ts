// Paired differences with their intervals: what lies right of zero got worse for ASR, left of it better.
import type { PairedDifference } from '../../compare/paired-differences.ts';
import { MEASURE_TITLES } from '../measures.ts';
import { labelMargin } from './label-margin.ts';
import { COLOURS, GRID, type Plots } from './plot-svg.ts';

/** Height of one row of the plot, in pixels. */
const ROW = 20;
/** The family's level. */
const ALPHA = 0.05;

export function differencePlot(
  { Plot, svg }: Plots,
  comparisons: readonly PairedDifference[],
): string {
  const points = comparisons.map((one) => ({
    name: [one.context, `${one.treatmentName} − ${one.baselineName}`, MEASURE_TITLES[one.measure]]
      .filter((part) => part !== '')
      .join(' · '),
    value: 100 * one.difference.value,
    low: 100 * one.difference.low,
    high: 100 * one.difference.high,
    colour: COLOURS[one.measure],
    significant: (one.holmP ?? one.p) < ALPHA,
  }));
  type Point = (typeof points)[number];
  const reach = Math.max(10, ...points.flatMap(({ low, high }) => [-low, high]));
  const colour = (point: Point): string => point.colour;
  return svg('Paired differences with 95 % intervals', {
    width: 860,
    height: 60 + ROW * points.length,
    marginLeft: labelMargin(points.map(({ name }) => name)),
    marginRight: 24,
    marginBottom: 40,
    x: {
      domain: [-reach, reach],
      label: 'difference in points, 95 % interval (filled: Holm p below 0.05)',
      labelAnchor: 'center',
    },
    y: { domain: points.map(({ name }) => name), label: null },
    color: { type: 'identity' },
    marks: [
      Plot.gridX(GRID),
      Plot.ruleX([0], { stroke: 'currentColor', strokeOpacity: 0.6 }),
      Plot.ruleY(points, { y: 'name', x1: 'low', x2: 'high', stroke: colour, strokeWidth: 2 }),
      Plot.dot(points, {
        y: 'name',
        x: 'value',
        stroke: colour,
        fill: (point: Point) => (point.significant ? point.colour : 'var(--paper)'),
        strokeWidth: 2,
        r: 4,
      }),
    ],
  });
}
