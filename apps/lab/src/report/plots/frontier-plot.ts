// Safety against usefulness: one dot an arm, those that no other row of the table beats filled.
import type { FrontierPoint } from '../frontier.ts';
import { COLOURS, GRID, type Plots } from './plot-svg.ts';

const WIDTH = 400;
const HEIGHT = 300;
/** Labels closer than this overlap; in units of the axes (percent). */
const GAP = { x: 45, y: 7 };

/** The arms of one edit and style; small multiples side by side share their axes. */
export function frontierPlot({ Plot, svg }: Plots, points: readonly FrontierPoint[]): string {
  const values = apart(
    points.map((point) => ({
      x: 100 * point.overRefusal,
      y: 100 * point.asr,
      best: point.best,
      label:
        point.accuracy === null
          ? point.arm
          : `${point.arm} (${(100 * point.accuracy).toFixed(0)} % correct)`,
    })),
  );
  type Value = (typeof values)[number];
  return svg(`Attack success against over-refusal: ${points.map(({ arm }) => arm).join(', ')}`, {
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 48,
    marginRight: 16,
    marginBottom: 44,
    x: { domain: [0, 100], label: 'harmless refused, %', labelAnchor: 'center' },
    y: { domain: [0, 100], label: 'ASR, %' },
    marks: [
      Plot.gridX(GRID),
      Plot.gridY(GRID),
      Plot.dot(values, {
        x: 'x',
        y: 'y',
        r: 5,
        stroke: COLOURS.asr,
        strokeWidth: 2,
        fill: (value: Value) => (value.best ? COLOURS.asr : 'var(--paper)'),
      }),
      // Labels of dots on the right run to the left.
      ...(['start', 'end'] as const).map((textAnchor) =>
        Plot.text(
          values.filter(({ x }) => x > 55 === (textAnchor === 'end')),
          { x: 'x', y: 'labelY', text: 'label', dx: textAnchor === 'end' ? -10 : 10, textAnchor },
        ),
      ),
    ],
  });
}

/**
 * Labels of dots that lie close together are moved apart, from the bottom up: there is always room above. Filled dots come
 * after the others in the same place, so that they are seen.
 */
function apart<T extends { readonly x: number; readonly y: number; readonly best: boolean }>(
  values: readonly T[],
): (T & { readonly labelY: number })[] {
  const placed: (T & { readonly labelY: number })[] = [];
  for (const value of [...values].sort((a, b) => a.y - b.y || Number(a.best) - Number(b.best))) {
    let labelY = Math.max(value.y, 3);
    for (const other of placed) {
      if (Math.abs(other.x - value.x) < GAP.x && labelY - other.labelY < GAP.y) {
        labelY = other.labelY + GAP.y;
      }
    }
    placed.push({ ...value, labelY });
  }
  return placed;
}
