// A sweep as one plain SVG: refusal of harmful and of harmless requests over strength, one panel a layer.

export interface SweepChartPoint {
  readonly layer: number;
  readonly heads?: number;
  readonly strength: number;
  /** Shares from 0 to 1. */
  readonly harmfulRefused: number;
  readonly benignRefused: number;
  readonly chosen?: boolean;
}

const [PANEL, HEIGHT, LEFT, TOP, GAP] = [220, 210, 44, 50, 30] as const;
const COLOURS = { harmfulRefused: '#1f4e9c', benignRefused: '#b03030' } as const;

/** Strengths on a log axis when all are positive and span more than a factor of 4. */
export function sweepSvg(points: readonly SweepChartPoint[]): string {
  const panels = [...new Set(points.map(panelOf))];
  const width = LEFT + panels.length * (PANEL + GAP);
  const strengths = points.map(({ strength }) => strength);
  const [low, high] = [Math.min(...strengths), Math.max(...strengths)];
  const log = low > 0 && high / low > 4;
  const along = (value: number): number => {
    const place = (x: number): number => (log ? Math.log(x) : x);
    return (place(value) - place(low)) / (place(high) - place(low) || 1);
  };
  const y = (share: number): number => TOP + (1 - share) * (HEIGHT - TOP - 34);
  const body = panels.flatMap((panel, index) => {
    const own = points
      .filter((point) => panelOf(point) === panel)
      .sort((a, b) => a.strength - b.strength);
    const left = LEFT + index * (PANEL + GAP);
    const x = (value: number): string => (left + along(value) * (PANEL - 10)).toFixed(1);
    return [
      `<text x="${left}" y="${TOP - 8}">${panel}</text>`,
      ...[0, 0.5, 1].flatMap((share) => [
        `<line x1="${left}" x2="${left + PANEL - 10}" y1="${y(share)}" y2="${y(share)}" stroke="#ddd"/>`,
        ...(index === 0
          ? [`<text x="${left - 6}" y="${y(share) + 4}" text-anchor="end">${100 * share}%</text>`]
          : []),
      ]),
      ...(['harmfulRefused', 'benignRefused'] as const).flatMap((measure) => [
        `<polyline fill="none" stroke="${COLOURS[measure]}" stroke-width="2" points="${own.map((p) => `${x(p.strength)},${y(p[measure]).toFixed(1)}`).join(' ')}"/>`,
        ...own.map(
          (p) =>
            `<circle cx="${x(p.strength)}" cy="${y(p[measure]).toFixed(1)}" r="${p.chosen ? 5 : 3}" fill="${COLOURS[measure]}"><title>strength ${p.strength.toPrecision(3)}: ${(100 * p[measure]).toFixed(1)}%</title></circle>`,
        ),
      ]),
      ...own.map(
        (p) =>
          `<text x="${x(p.strength)}" y="${HEIGHT - 14}" text-anchor="middle">${Number(p.strength.toPrecision(2))}</text>`,
      ),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}" font-family="sans-serif" font-size="11" role="img">`,
    '<title>Refusals over strength</title>',
    `<rect width="${width}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="8" y="16" font-weight="bold">Refused over strength: <tspan fill="${COLOURS.harmfulRefused}">harmful</tspan>, <tspan fill="${COLOURS.benignRefused}">harmless</tspan>; the chosen setting is large</text>`,
    ...body,
    '</svg>',
  ].join('\n');
}

function panelOf({ layer, heads }: SweepChartPoint): string {
  return heads === undefined ? `layer ${layer}` : `layer ${layer}, ${heads} heads`;
}
