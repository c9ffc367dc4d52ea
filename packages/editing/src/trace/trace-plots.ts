// The four pictures of causal tracing as SVG text: one prompt, the roll-up, lines with bands, and severed paths.
import type { AverageEffects } from './average-effects.ts';
import type { CausalTrace, TraceKind } from './causal-trace.ts';
import {
  escapeXml,
  label,
  layerTicks,
  round,
  svg,
  textWidth,
  tickText,
  valueTicks,
} from './svg.ts';

/** Darkest colour of each kind's scale: purple states, green MLPs, red attention. */
const DARKEST: Readonly<Record<TraceKind, readonly [number, number, number]>> = {
  state: [63, 0, 125],
  mlp: [0, 68, 27],
  attn: [103, 0, 13],
};
const NAMES: Readonly<Record<TraceKind, string>> = {
  state: 'states',
  mlp: 'MLP outputs',
  attn: 'attention outputs',
};
const RULE = '#dddddd';
const MUTED = '#888888';
/** Room for the title above every picture. */
const TOP = 48;

/** Tokens x layers of one prompt; subject tokens are bold with a star; the palest colour is the corrupted run's score. */
export function tracePlot(trace: CausalTrace): string {
  const [begin, end] = trace.span;
  const inSubject = (i: number): boolean => i >= begin && i < end;
  return heatMap({
    title: titleOf(trace.kind, trace.severed),
    labels: trace.tokens.map(({ text }, i) => ({
      text: `${text.trim() === '' ? JSON.stringify(text) : text}${inSubject(i) ? '*' : ''}`,
      bold: inSubject(i),
    })),
    values: trace.scores,
    low: trace.lowScore,
    high: Math.max(trace.highScore, ...trace.scores.flat()),
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
    title: `${titleOf(kind, undefined)}: average indirect effect, ${promptsOf(effects)}`,
    labels: effects.roles.map((text) => ({ text, bold: false })),
    values: effects.effects.map((row) => row.map((x) => Math.max(0, x))),
    low,
    high,
    kind,
    axis: axisOf(kind, window),
    scale: 'AIE',
  });
}

/** One line a role with its 95 % band. Dashes let a line be seen that runs over another. */
export function effectLinesPlot(effects: AverageEffects, kind: TraceKind): string {
  const layers = effects.effects[0]!.length;
  const band = (role: number, sign: number): number[] =>
    effects.effects[role]!.map((x, layer) => x + sign * halfOf(effects, role, layer));
  const drawn = effects.roles.flatMap((name, role) =>
    effects.effects[role]!.some(Number.isFinite) ? [{ name, role }] : [],
  );
  const known = drawn
    .flatMap(({ role }) => [...band(role, -1), ...band(role, 1)])
    .filter(Number.isFinite);
  const plot = { left: 64, width: 380, height: 230, layers };
  const frame = valueFrame({
    ...plot,
    low: Math.min(0, ...known),
    high: Math.max(1e-9, ...known),
    name: 'indirect effect',
    at: (layer) => plot.left + (plot.width * layer) / Math.max(1, layers - 1),
  });
  const points = (values: readonly number[]): string[] =>
    values.flatMap((value, layer) =>
      Number.isFinite(value) ? [`${round(frame.x(layer))},${round(frame.y(value))}`] : [],
    );
  const bands = drawn.map(({ role }) => {
    const outline = [...points(band(role, 1)), ...points(band(role, -1)).reverse()];
    return `<polygon points="${outline.join(' ')}" fill="${LINES[role]!.colour}" fill-opacity="0.15"/>`;
  });
  // Dashed lines last: above the whole line that they may run over.
  const lines = [...drawn]
    .sort((a, b) => Number(LINES[a.role]!.dash !== '') - Number(LINES[b.role]!.dash !== ''))
    .map(
      ({ role }) =>
        `<polyline points="${points(effects.effects[role]!).join(' ')}" fill="none" ${strokeOf(role)}/>`,
    );
  const right = plot.left + plot.width + 18;
  const legend = drawn.flatMap(({ name, role }, i) => {
    const y = TOP + 6 + 18 * i;
    return [
      `<line x1="${right}" y1="${y}" x2="${right + 24}" y2="${y}" ${strokeOf(role)}/>`,
      label({ x: right + 30, y: y + 4, text: name }),
    ];
  });
  const longest = Math.max(...drawn.map(({ name }) => textWidth(name)), 0);
  return svg(
    { width: right + 42 + longest, height: TOP + plot.height + 48 },
    `${titleOf(kind, undefined)}: mean of ${promptsOf(effects)}${bandNote(effects)}`,
    [...frame.parts, ...bands, ...lines, ...legend],
  );
}

/** Bars per layer at the last subject token, with 95 % intervals: the state alone, and with attention or MLPs severed. */
export function severedPlot(
  series: Readonly<Record<'state' | 'attn' | 'mlp', AverageEffects | undefined>>,
): string {
  const named = (['state', 'attn', 'mlp'] as const).flatMap((kind) => {
    const effects = series[kind];
    const severed = kind === 'mlp' ? 'later MLPs severed' : 'later attention severed';
    return effects ? [{ name: kind === 'state' ? 'single state' : severed, kind, effects }] : [];
  });
  const first = named[0]?.effects;
  const layers = first?.effects[LAST_SUBJECT]?.length ?? 0;
  const ends = named
    .flatMap(({ effects }) =>
      effects.effects[LAST_SUBJECT]!.flatMap((x, layer) => {
        const half = halfOf(effects, LAST_SUBJECT, layer);
        return [x - half, x + half];
      }),
    )
    .filter(Number.isFinite);
  const bar = Math.max(3, Math.min(12, Math.floor(480 / Math.max(1, layers * named.length))));
  const group = bar * named.length + Math.max(3, bar);
  const plot = { left: 64, width: Math.max(40, layers * group), height: 190, layers };
  const frame = valueFrame({
    ...plot,
    low: Math.min(0, ...ends),
    high: Math.max(1e-9, ...ends),
    name: 'indirect effect',
    at: (layer) => plot.left + (layer + 0.5) * group,
  });
  const right = plot.left + plot.width + 18;
  const bars = named.flatMap(({ name, kind, effects }, s) => {
    const fill = colourOf(kind, 0.75);
    return [
      ...effects.effects[LAST_SUBJECT]!.flatMap((value, layer) => {
        if (!Number.isFinite(value)) return [];
        const x = frame.x(layer) + bar * (s - named.length / 2);
        const [from, to] = [frame.y(Math.max(0, value)), frame.y(Math.min(0, value))];
        const half = halfOf(effects, LAST_SUBJECT, layer);
        const middle = round(x + bar / 2);
        return [
          `<rect x="${round(x)}" y="${round(from)}" width="${bar}" height="${round(to - from)}" fill="${fill}"/>`,
          `<line x1="${middle}" y1="${round(frame.y(value - half))}" x2="${middle}" y2="${round(frame.y(value + half))}" stroke="#222222"/>`,
        ];
      }),
      `<rect x="${right}" y="${TOP + 18 * s}" width="10" height="10" fill="${fill}"/>`,
      label({ x: right + 16, y: TOP + 9 + 18 * s, text: name }),
    ];
  });
  const longest = Math.max(...named.map(({ name }) => textWidth(name)), 0);
  return svg(
    { width: right + 28 + longest, height: TOP + plot.height + 48 },
    `Effect at the last subject token: ${first ? `mean of ${promptsOf(first)}${bandNote(first)}` : 'nothing traced'}`,
    [...frame.parts, ...bars],
  );
}

/** Index of "Last subject token" among the roles. */
const LAST_SUBJECT = 2;

/** Distinct for readers who confuse red and green (Okabe and Ito). */
const LINES = [
  { colour: '#0072b2', dash: '7 5' },
  { colour: '#56b4e9', dash: '2 3' },
  { colour: '#cc79a7', dash: '' },
  { colour: '#e69f00', dash: '7 5' },
  { colour: '#999999', dash: '2 3' },
  { colour: '#009e73', dash: '' },
] as const;

function strokeOf(role: number): string {
  const { colour, dash } = LINES[role]!;
  const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
  return `stroke="${colour}" stroke-width="2"${dashes}`;
}

/** 0 where one prompt gives no interval. */
function halfOf({ halfWidths }: AverageEffects, role: number, layer: number): number {
  const half = halfWidths[role]![layer]!;
  return Number.isFinite(half) ? half : 0;
}

function promptsOf({ traces }: AverageEffects): string {
  return `${traces} prompt${traces === 1 ? '' : 's'}`;
}

function bandNote({ traces }: AverageEffects): string {
  return traces < 2 ? ', no interval' : ', 95 % intervals';
}

/** Axes, rules and their numbers; layers go where `at` puts them. */
function valueFrame(options: {
  readonly left: number;
  readonly width: number;
  readonly height: number;
  readonly layers: number;
  readonly low: number;
  readonly high: number;
  readonly name: string;
  readonly at: (layer: number) => number;
}): {
  readonly x: (layer: number) => number;
  readonly y: (value: number) => number;
  readonly parts: readonly string[];
} {
  const { left, width, height, layers, low, high, name, at } = options;
  const y = (value: number): number => TOP + (height * (high - value)) / (high - low);
  const parts = [
    ...valueTicks(low, high).flatMap((value) => {
      const place = round(y(value));
      const stroke = Math.abs(value) < 1e-12 ? MUTED : RULE;
      return [
        `<line x1="${left}" y1="${place}" x2="${left + width}" y2="${place}" stroke="${stroke}"/>`,
        label({ x: left - 6, y: place + 4, text: tickText(value), anchor: 'end' }),
      ];
    }),
    ...layerTicks(layers).map((layer) =>
      label({ x: at(layer), y: TOP + height + 16, text: String(layer), anchor: 'middle' }),
    ),
    label({ x: left + width / 2, y: TOP + height + 36, text: 'layer', anchor: 'middle' }),
    label({ x: 12, y: TOP - 12, text: name, colour: MUTED }),
  ];
  return { x: at, y, parts };
}

function heatMap(options: {
  readonly title: string;
  readonly labels: readonly { readonly text: string; readonly bold: boolean }[];
  readonly values: readonly (readonly number[])[];
  readonly low: number;
  readonly high: number;
  readonly kind: TraceKind;
  readonly axis: string;
  readonly scale: string;
}): string {
  const { title, labels, values, low, high, kind, axis, scale } = options;
  const layers = values[0]?.length ?? 0;
  // Wide enough to be read for 6 layers, not wider than a page for 80.
  const cell = Math.max(10, Math.min(36, Math.floor(480 / Math.max(1, layers))));
  const row = 20;
  const left = Math.max(60, ...labels.map(({ text }) => textWidth(text) + 18));
  const [width, height] = [layers * cell, labels.length * row];
  const share = (value: number): number =>
    high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0;
  const cells = values.flatMap((line, r) => {
    if (!line.some(Number.isFinite)) {
      return [label({ x: left + 4, y: TOP + r * row + 14, text: 'no such token', colour: MUTED })];
    }
    return line.flatMap((value, layer) => {
      if (!Number.isFinite(value)) return [];
      const place = `x="${left + layer * cell}" y="${TOP + r * row}" width="${cell}" height="${row}"`;
      return `<rect ${place} fill="${colourOf(kind, share(value))}"><title>${escapeXml(labels[r]!.text)}, layer ${layer}: ${value.toFixed(4)}</title></rect>`;
    });
  });
  const right = left + width + 20;
  const bar = Array.from({ length: 20 }, (_, i) => {
    const y = TOP + (height * i) / 20;
    return `<rect x="${right}" y="${round(y)}" width="14" height="${round(height / 20 + 0.5)}" fill="${colourOf(kind, 1 - i / 19)}"/>`;
  });
  return svg(
    {
      width: Math.max(
        right + 70,
        right + textWidth(scale) + 12,
        left + width / 2 + textWidth(axis) / 2 + 12,
      ),
      height: TOP + height + 48,
    },
    title,
    [
      ...labels.map(({ text, bold }, r) =>
        label({ x: left - 8, y: TOP + r * row + 14, text, anchor: 'end', bold }),
      ),
      ...cells,
      `<rect x="${left}" y="${TOP}" width="${width}" height="${height}" fill="none" stroke="${RULE}"/>`,
      ...layerTicks(layers).map((layer) =>
        label({
          x: left + (layer + 0.5) * cell,
          y: TOP + height + 16,
          text: String(layer),
          anchor: 'middle',
        }),
      ),
      label({ x: left + width / 2, y: TOP + height + 36, text: axis, anchor: 'middle' }),
      ...bar,
      label({ x: right + 20, y: TOP + 10, text: high.toFixed(3) }),
      label({ x: right + 20, y: TOP + height, text: low.toFixed(3) }),
      label({ x: right, y: TOP - 10, text: scale }),
    ],
  );
}

function axisOf(kind: TraceKind, window: number): string {
  if (kind === 'state') return 'single restored layer';
  const what = kind === 'mlp' ? 'MLP' : 'attention';
  if (window === 1) return `single restored ${what} layer`;
  return `center of interval of ${window} restored ${what} layers`;
}

function titleOf(kind: TraceKind, severed: 'mlp' | 'attn' | undefined): string {
  const later = severed === 'mlp' ? 'MLPs' : 'attention';
  return `Restoring ${NAMES[kind]}${severed ? `, later ${later} severed` : ''}`;
}

function colourOf(kind: TraceKind, share: number): string {
  const [r, g, b] = DARKEST[kind].map((dark) => Math.round(250 + (dark - 250) * share));
  return `rgb(${r},${g},${b})`;
}
