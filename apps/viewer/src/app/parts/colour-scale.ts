// Values as colours. Blue and orange stay apart for every common colour blindness; strength is the share of ink mixed in.

/** Most ink a cell gets: more would take the contrast from the text on it. */
const MOST = 72;

/** A share in [0, 1]: from the plain surface to full `ink`. */
export function shareColour(share: number, ink: string): string {
  return mix(Math.max(0, Math.min(1, share)), ink);
}

/** Signed: orange below zero, blue above, plain at zero. `extent` is the value that gets the full colour. */
export function signedColour(value: number, extent: number): string {
  const share = extent === 0 ? 0 : Math.min(1, Math.abs(value) / extent);
  return mix(share, value < 0 ? 'var(--minus)' : 'var(--plus)');
}

/** Largest absolute value; 0 for none. */
export function extentOf(values: Iterable<number>): number {
  let extent = 0;
  for (const value of values) {
    if (Number.isFinite(value)) extent = Math.max(extent, Math.abs(value));
  }
  return extent;
}

function mix(share: number, ink: string): string {
  return `color-mix(in oklab, ${ink} ${(share * MOST).toFixed(1)}%, var(--cell))`;
}
