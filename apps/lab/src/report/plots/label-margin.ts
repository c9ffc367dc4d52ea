// Room for labels left of a plot: no text can be measured without a browser, so the letters are counted.

/** Average width of a letter at 12 px, in pixels, on the generous side. */
const LETTER = 6.6;

export function labelMargin(labels: readonly string[]): number {
  const longest = Math.max(4, ...labels.map((label) => label.length));
  return Math.round(Math.min(420, 20 + LETTER * longest));
}
