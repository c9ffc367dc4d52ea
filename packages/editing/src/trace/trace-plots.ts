// The four pictures of causal tracing as SVG text: one prompt, the roll-up, lines with bands, and severed paths.
import type { AverageEffects } from './average-effects.ts';
import type { CausalTrace, TraceKind } from './causal-trace.ts';

/** Darkest colour of each kind's scale: purple states, green MLPs, red attention. */
const DARKEST: Readonly<Record<TraceKind, readonly [number, number, number]>> = {
  state: [63, 0, 125],
  mlp: [0, 68, 27],
  attn: [103, 0, 13],
};

const CELL = 16;
const FONT = 'font-family="sans-serif" font-size="11"';

/** Tokens x layers of one prompt; subject tokens carry a star; the palest colour is the corrupted run's score. */
export function tracePlot(trace: CausalTrace): string {
  const [begin, end] = trace.span;
  const labels = trace.tokens.map(({ text }, i) => `${text}${i >= begin && i < end ? '*' : ''}`);
  const highest = Math.max(trace.highScore, ...trace.scores.flat());
  return heatMap({
    title: titleOf(trace.kind, trace.severed),
    labels,
    values: trace.scores,
    low: trace.lowScore,
    high: highest,
    kind: trace.kind,
    axis: axisOf(trace.kind, trace.window),
    scale: `p(${trace.answer.text.trim()})`,
  });
}

/** Roles x layers of averages; give the state's range to the other kinds to compare them. */
export function averageEffectsPlot(
  effects: AverageEffects,
  options: {
    readonly kind: TraceKind;
    readonly window: number;
    readonly range?: readonly [number, number];
  },
): string {
  const { kind, window } = options;
  const known = effects.effects.flat().filter(Number.isFinite);
  const [low, high] = options.range ?? [0, Math.max(1e-9, ...known)];
  return heatMap({
    title: `Average indirect effect over ${effects.traces} prompts`,
    labels: effects.roles,
    values: effects.effects.map((row) => row.map((x) => Math.max(0, x))),
    low,
    high,
    kind,
    axis: axisOf(kind, window),
    scale: 'AIE',
  });
}

/** One line a role with its 95 % band. */
export function effectLinesPlot(effects: AverageEffects, kind: TraceKind): string {
  const layers = effects.effects[0]!.length;
  const band = (role: number, sign: number): number[] =>
    effects.effects[role]!.map((x, layer) => {
      const half = effects.halfWidths[role]![layer]!;
      return x + sign * (Number.isFinite(half) ? half : 0);
    });
  const all = effects.roles.flatMap((_, role) => [...band(role, -1), ...band(role, 1)]);
  const known = all.filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...known), Math.max(1e-9, ...known)];
  const [left, top, width, height] = [60, 30, 360, 220];
  const x = (layer: number): number => left + (width * layer) / Math.max(1, layers - 1);
  const y = (value: number): number => top + (height * (high - value)) / (high - low);
  const points = (values: readonly number[]): string[] =>
    values.flatMap((value, layer) =>
      Number.isFinite(value) ? [`${round(x(layer))},${round(y(value))}`] : [],
    );
  const parts = effects.roles.flatMap((name, role) => {
    const colour = LINE_COLOURS[role]!;
    const outline = [...points(band(role, 1)), ...points(band(role, -1)).reverse()];
    const line = points(effects.effects[role]!);
    if (line.length === 0) return [];
    return [
      `<polygon points="${outline.join(' ')}" fill="${colour}" fill-opacity="0.15"/>`,
      `<polyline points="${line.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
      `<rect x="${left + width + 15}" y="${top + 18 * role}" width="10" height="10" fill="${colour}"/>`,
      `<text x="${left + width + 30}" y="${top + 9 + 18 * role}" ${FONT}>${escapeXml(name)}</text>`,
    ];
  });
  return svg(left + width + 180, top + height + 45, titleOf(kind, undefined), [
    `<line x1="${left}" y1="${round(y(0))}" x2="${left + width}" y2="${round(y(0))}" stroke="#888"/>`,
    ...[low, high].map(
      (value) =>
        `<text x="${left - 6}" y="${round(y(value) + 4)}" text-anchor="end" ${FONT}>${value.toFixed(3)}</text>`,
    ),
    ...ticks(layers).map(
      (layer) =>
        `<text x="${round(x(layer))}" y="${top + height + 16}" text-anchor="middle" ${FONT}>${layer}</text>`,
    ),
    `<text x="${left + width / 2}" y="${top + height + 34}" text-anchor="middle" ${FONT}>layer</text>`,
    ...parts,
  ]);
}

/** Bars per layer at the last subject token: the state alone, and with attention or MLPs severed. */
export function severedPlot(
  series: Readonly<Record<'state' | 'attn' | 'mlp', AverageEffects | undefined>>,
): string {
  const named = (['state', 'attn', 'mlp'] as const).flatMap((kind) => {
    const effects = series[kind];
    const name = kind === 'state' ? 'single state' : `${kind === 'mlp' ? 'MLP' : 'Attn'} severed`;
    return effects ? [{ name, kind, values: effects.effects[2]! }] : [];
  });
  const layers = named[0]?.values.length ?? 0;
  const high = Math.max(1e-9, ...named.flatMap(({ values }) => values.filter(Number.isFinite)));
  const [left, top, height, group] = [50, 30, 180, 8 * named.length + 6];
  const bars = named.flatMap(({ name, kind, values }, s) => [
    ...values.flatMap((value, layer) => {
      if (!(value > 0)) return [];
      const size = (height * value) / high;
      return `<rect x="${left + layer * group + 8 * s}" y="${round(top + height - size)}" width="8" height="${round(size)}" fill="${colourOf(kind, 0.8)}"/>`;
    }),
    `<rect x="${left + layers * group + 15}" y="${top + 18 * s}" width="10" height="10" fill="${colourOf(kind, 0.8)}"/>`,
    `<text x="${left + layers * group + 30}" y="${top + 9 + 18 * s}" ${FONT}>${escapeXml(name)}</text>`,
  ]);
  return svg(left + layers * group + 140, top + height + 45, 'Effect at the last subject token', [
    `<text x="${left - 6}" y="${top + 4}" text-anchor="end" ${FONT}>${high.toFixed(3)}</text>`,
    `<line x1="${left}" y1="${top + height}" x2="${left + layers * group}" y2="${top + height}" stroke="#888"/>`,
    ...ticks(layers).map(
      (layer) =>
        `<text x="${left + layer * group + group / 2}" y="${top + height + 16}" text-anchor="middle" ${FONT}>${layer}</text>`,
    ),
    `<text x="${left + (layers * group) / 2}" y="${top + height + 34}" text-anchor="middle" ${FONT}>layer</text>`,
    ...bars,
  ]);
}

/** Distinct for readers who confuse red and green (Okabe and Ito). */
const LINE_COLOURS = ['#0072b2', '#56b4e9', '#cc79a7', '#e69f00', '#999999', '#009e73'];

function heatMap(options: {
  readonly title: string;
  readonly labels: readonly string[];
  readonly values: readonly (readonly number[])[];
  readonly low: number;
  readonly high: number;
  readonly kind: TraceKind;
  readonly axis: string;
  readonly scale: string;
}): string {
  const { title, labels, values, low, high, kind, axis, scale } = options;
  const layers = values[0]?.length ?? 0;
  const [left, top] = [160, 30];
  const [width, height] = [layers * CELL, labels.length * CELL];
  const share = (value: number): number =>
    high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0;
  const cells = values.flatMap((row, r) =>
    row.flatMap((value, layer) => {
      if (!Number.isFinite(value)) return [];
      const place = `x="${left + layer * CELL}" y="${top + r * CELL}" width="${CELL}" height="${CELL}"`;
      return `<rect ${place} fill="${colourOf(kind, share(value))}"><title>${escapeXml(labels[r]!)}, layer ${layer}: ${value.toFixed(4)}</title></rect>`;
    }),
  );
  const bar = Array.from({ length: 10 }, (_, i) => {
    const y = top + (height * i) / 10;
    return `<rect x="${left + width + 15}" y="${round(y)}" width="12" height="${round(height / 10 + 0.5)}" fill="${colourOf(kind, 1 - i / 9)}"/>`;
  });
  return svg(left + width + 110, top + height + 45, title, [
    ...labels.map(
      (label, r) =>
        `<text x="${left - 6}" y="${top + r * CELL + 12}" text-anchor="end" ${FONT}>${escapeXml(label)}</text>`,
    ),
    ...cells,
    ...ticks(layers).map(
      (layer) =>
        `<text x="${left + (layer + 0.5) * CELL}" y="${top + height + 14}" text-anchor="middle" ${FONT}>${layer}</text>`,
    ),
    `<text x="${left + width / 2}" y="${top + height + 32}" text-anchor="middle" ${FONT}>${escapeXml(axis)}</text>`,
    ...bar,
    `<text x="${left + width + 32}" y="${top + 10}" ${FONT}>${high.toFixed(3)}</text>`,
    `<text x="${left + width + 32}" y="${top + height}" ${FONT}>${low.toFixed(3)}</text>`,
    `<text x="${left + width + 15}" y="${top - 6}" ${FONT}>${escapeXml(scale)}</text>`,
  ]);
}

function axisOf(kind: TraceKind, window: number): string {
  if (kind === 'state') return 'single restored layer';
  return `center of interval of ${window} restored ${kind === 'mlp' ? 'MLP' : 'Attn'} layers`;
}

function titleOf(kind: TraceKind, severed: 'mlp' | 'attn' | undefined): string {
  const what = { state: 'states', mlp: 'MLP outputs', attn: 'attention outputs' }[kind];
  return `Restoring ${what}${severed ? `, later ${severed === 'mlp' ? 'MLPs' : 'attention'} severed` : ''}`;
}

/** About ten labels, however many layers. */
function ticks(layers: number): number[] {
  const step = Math.max(1, Math.ceil(layers / 10));
  return Array.from({ length: Math.ceil(layers / step) }, (_, i) => i * step);
}

function colourOf(kind: TraceKind, share: number): string {
  const [r, g, b] = DARKEST[kind].map((dark) => Math.round(250 + (dark - 250) * share));
  return `rgb(${r},${g},${b})`;
}

function svg(width: number, height: number, title: string, parts: readonly string[]): string {
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escapeXml(title)}">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${width / 2}" y="16" text-anchor="middle" ${FONT}>${escapeXml(title)}</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function round(x: number): number {
  return Math.round(x * 100) / 100;
}

/** Token texts are anything, control characters included, which XML cannot hold. */
function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text
    .replaceAll('\n', '\u21b5')
    .replaceAll(/\p{Cc}|\p{Cs}/gu, '\ufffd')
    .replaceAll(/[&<>"]/g, (character) => entities[character]!);
}
