// The report's pictures as plain SVG: head heat map, dose response, histogram of effects.
import type { IndirectEffects } from '../safety-amplification/indirect-effect.ts';
import type { SteeringReport } from './steering-report.ts';

function svg(width: number, height: number, title: string, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11" role="img">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="8" y="16" font-weight="bold">${title}</text>`,
    ...body,
    '</svg>',
  ].join('\n');
}

const round = (value: number): string => String(Number(value.toFixed(2)));
const short = (value: number): string => String(Number(value.toPrecision(3)));

/** Layers down, heads across; blue raises the safe answer, red lowers it; white is no effect. */
export function headHeatMapSvg(effects: Pick<IndirectEffects, 'ranked'>): string {
  const layers = 1 + Math.max(...effects.ranked.map(({ layer }) => layer));
  const heads = 1 + Math.max(...effects.ranked.map(({ head }) => head));
  const largest = Math.max(...effects.ranked.map(({ effect }) => Math.abs(effect)), 1e-12);
  const [size, left, top] = [18, 44, 40];
  const body = [...effects.ranked]
    .sort((a, b) => a.layer - b.layer || a.head - b.head)
    .map(({ layer, head, effect }) => {
      const faint = Math.round(255 * (1 - Math.abs(effect) / largest));
      const colour = effect >= 0 ? `rgb(${faint},${faint},255)` : `rgb(255,${faint},${faint})`;
      return `<rect x="${left + head * size}" y="${top + layer * size}" width="${size - 1}" height="${size - 1}" fill="${colour}" stroke="#ddd"><title>layer ${layer}, head ${head}: ${short(effect)}</title></rect>`;
    });
  for (let layer = 0; layer < layers; layer += 1) {
    body.push(
      `<text x="${left - 6}" y="${top + layer * size + 13}" text-anchor="end">${layer}</text>`,
    );
  }
  body.push(
    `<text x="${left}" y="${top - 6}">head 0 to ${heads - 1}; largest effect ${short(largest)}</text>`,
  );
  return svg(
    Math.max(260, left + heads * size + 12),
    top + layers * size + 12,
    'Indirect effect of each head',
    body,
  );
}

/** Mean change of the effect metric over the factor on the strength, with its interval. */
export function doseResponseSvg({ effect }: Pick<SteeringReport, 'effect'>): string {
  const points = [...effect.dose].sort((a, b) => a.factor - b.factor);
  const [width, height, left, top] = [420, 240, 48, 32];
  const xs = points.map(({ factor }) => factor);
  const x = scale(Math.min(...xs), Math.max(...xs), left, width - 16);
  const low = Math.min(0, ...points.map((p) => p.low));
  const high = Math.max(0, ...points.map((p) => p.high));
  const y = scale(low, high, height - 32, top);
  const body = [
    `<line x1="${left}" x2="${width - 16}" y1="${round(y(0))}" y2="${round(y(0))}" stroke="#999"/>`,
    `<polyline fill="none" stroke="#1f4e9c" stroke-width="2" points="${points.map((p) => `${round(x(p.factor))},${round(y(p.mean))}`).join(' ')}"/>`,
    ...points.flatMap((p) => [
      `<line x1="${round(x(p.factor))}" x2="${round(x(p.factor))}" y1="${round(y(p.low))}" y2="${round(y(p.high))}" stroke="#1f4e9c"/>`,
      `<circle cx="${round(x(p.factor))}" cy="${round(y(p.mean))}" r="3" fill="#1f4e9c"><title>${short(p.factor)}: ${short(p.mean)}</title></circle>`,
      `<text x="${round(x(p.factor))}" y="${height - 14}" text-anchor="middle">${short(p.factor)}</text>`,
    ]),
    `<text x="${left - 6}" y="${top + 4}" text-anchor="end">${short(high)}</text>`,
    `<text x="${left - 6}" y="${height - 30}" text-anchor="end">${short(low)}</text>`,
  ];
  return svg(width, height, 'Effect over the factor on the strength', body);
}

/** How many items changed by how much; red bars moved the wrong way. */
export function effectHistogramSvg({ effect }: Pick<SteeringReport, 'effect'>): string {
  const values = effect.perItem.map(({ change }) => change);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const span = high - low || 1;
  // A bin edge at 0, so that no bar holds both signs.
  const step = span / 16;
  const first = Math.floor(low / step);
  const bins = new Map<number, number>();
  for (const value of values) {
    const bin = Math.floor(value / step);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  const last = Math.max(...bins.keys());
  const [width, height, left, top] = [420, 200, 32, 32];
  const bar = (width - left - 16) / (last - first + 1);
  const most = Math.max(...bins.values());
  const body = [...bins].map(([bin, count]) => {
    const tall = ((height - top - 32) * count) / most;
    return `<rect x="${round(left + (bin - first) * bar)}" y="${round(height - 28 - tall)}" width="${round(bar - 1)}" height="${round(tall)}" fill="${bin < 0 ? '#b03030' : '#1f4e9c'}"><title>${count} from ${short(bin * step)} to ${short((bin + 1) * step)}</title></rect>`;
  });
  body.push(
    `<text x="${left}" y="${height - 12}">${short(first * step)}</text>`,
    `<text x="${width - 16}" y="${height - 12}" text-anchor="end">${short((last + 1) * step)}</text>`,
  );
  return svg(width, height, `Change of each item (${values.length})`, body);
}

function scale(from: number, to: number, low: number, high: number): (value: number) => number {
  const span = to - from || 1;
  return (value) => low + ((value - from) / span) * (high - low);
}
