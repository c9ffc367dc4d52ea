// Observable Plot on the server: marks in, one SVG string out.
import type { Markish, MarkOptions, PlotOptions } from '@observablehq/plot';

export type PlotLibrary = typeof import('@observablehq/plot');

export interface Plots {
  readonly Plot: PlotLibrary;
  /** `title` is read by screen readers in place of the picture. */
  readonly svg: (title: string, options: PlotOptions & { readonly marks: Markish[] }) => string;
}

/** Colours with enough contrast on light and dark paper, apart for every common colour blindness. */
export const COLOURS = {
  asr: '#b3261e',
  overRefusal: '#2563a8',
  accuracy: '#2a7d4f',
} as const;

export const GRID: MarkOptions = { stroke: 'currentColor', strokeOpacity: 0.15 };

/** Loaded when a report is written: it takes half a second that no other command should pay. */
export async function loadPlots(): Promise<Plots> {
  const [Plot, { parseHTML }] = await Promise.all([
    import('@observablehq/plot'),
    import('linkedom'),
  ]);
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  return {
    Plot,
    svg: (title, options) => {
      const element = Plot.plot({
        ...options,
        document: document as unknown as NonNullable<PlotOptions['document']>,
        style: { background: 'transparent', overflow: 'visible', fontSize: '12px' },
      });
      element.setAttribute('role', 'img');
      element.setAttribute('aria-label', title);
      return element.outerHTML;
    },
  };
}
