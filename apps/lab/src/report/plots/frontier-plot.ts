// Safety against usefulness: one dot a row, those that no other row beats joined by a line.
import type { FrontierPoint } from '../frontier.ts';
import { COLOURS, GRID, type Plots } from './plot-svg.ts';

export function frontierPlot({ Plot, svg }: Plots, points: readonly FrontierPoint[]): string {
  const values = points.map((point) => ({
    ...point,
    x: 100 * point.overRefusal,
    y: 100 * point.asr,
    label:
      point.accuracy === null
        ? point.row
        : `${point.row} (${(100 * point.accuracy).toFixed(0)} % correct)`,
  }));
  const best = values.filter((value) => value.best).sort((a, b) => a.x - b.x || b.y - a.y);
  return svg('Attack success against over-refusal of every row', {
    width: 720,
    height: 420,
    marginLeft: 56,
    marginRight: 220,
    marginBottom: 48,
    x: { domain: [0, 100], label: 'harmless refused, %', labelAnchor: 'center' },
    y: { domain: [0, 100], label: 'ASR, %' },
    marks: [
      Plot.gridX(GRID),
      Plot.gridY(GRID),
      Plot.line(best, {
        x: 'x',
        y: 'y',
        stroke: COLOURS.asr,
        strokeOpacity: 0.5,
        curve: 'step-after',
      }),
      Plot.dot(values, {
        x: 'x',
        y: 'y',
        r: 5,
        stroke: COLOURS.asr,
        strokeWidth: 2,
        fill: (value: (typeof values)[number]) => (value.best ? COLOURS.asr : 'var(--paper)'),
      }),
      Plot.text(spread(values), {
        x: 'x',
        y: 'labelY',
        text: 'label',
        dx: 10,
        textAnchor: 'start',
      }),
    ],
  });
}

/** Labels of dots that lie close together are moved apart, top down (in units of the y axis). */
function spread<T extends { readonly x: number; readonly y: number }>(
  values: readonly T[],
): (T & { readonly labelY: number })[] {
  const gap = 4.5;
  const placed: (T & { readonly labelY: number })[] = [];
  for (const value of [...values].sort((a, b) => b.y - a.y)) {
    let labelY = value.y;
    for (const other of placed) {
      if (Math.abs(other.x - value.x) < 40 && other.labelY - labelY < gap) {
        labelY = other.labelY - gap;
      }
    }
    placed.push({ ...value, labelY });
  }
  return placed;
}
