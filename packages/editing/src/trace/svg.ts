// What the pictures of tracing are drawn with: text, frames, ticks.

const FONT_SIZE = 11;
/** Average width of a character, generous: labels must not be cut (pixels at the font size). */
const CHARACTER = 6.6;

export function textWidth(text: string): number {
  return Math.ceil(CHARACTER * [...text].length);
}

export function label(options: {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly colour?: string;
  readonly bold?: boolean;
}): string {
  const { x, y, text, anchor = 'start', colour = '#222222', bold = false } = options;
  const weight = bold ? ' font-weight="bold"' : '';
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${colour}" font-family="sans-serif" font-size="${FONT_SIZE}"${weight}>${escapeXml(text)}</text>`;
}

export function svg(
  size: { readonly width: number; readonly height: number },
  title: string,
  parts: readonly string[],
): string {
  const width = Math.ceil(Math.max(size.width, textWidth(title) + 24));
  const { height } = size;
  const box = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${box} role="img" aria-label="${escapeXml(title)}">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    label({ x: 12, y: 18, text: title, bold: true }),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

export function round(x: number): number {
  return Math.round(x * 100) / 100;
}

/** Whole numbers from 0: about ten, however many layers. */
export function layerTicks(layers: number): number[] {
  const step = Math.max(1, Math.ceil(layers / 12));
  return Array.from({ length: Math.ceil(layers / step) }, (_, i) => i * step);
}

/** Round numbers from `low` to `high`: multiples of 1, 2 or 5 times a power of ten, four to nine of them. */
export function valueTicks(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((one) => one * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => (first + i) * step);
}

/** As few digits as tell ticks apart. */
export function tickText(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Token texts are anything, control characters included, which XML cannot hold. */
export function escapeXml(text: string): string {
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
