// What `safeinfer view --export` writes: script files that call one function with JSON, because a page opened from
// file:// may load scripts but not fetch data.
import type { PackedIndex } from '../query/packed-index.ts';
import type { RunDetail, RunSummary, TrialView } from './api.ts';
import type { TokenTrace } from './trial-record.ts';

/** Name of the global function that every data file calls as `safeinferData(key, value)`. */
export const DATA_CALLBACK = 'safeinferData';
/** `content` of <meta name="safeinfer-source"> in an exported page; the served page says `api`. */
export const STATIC_SOURCE = 'static';

/** `masked` is absent where nothing needs masking, `full` where the export leaves harmful text out. */
export interface MaskableText {
  readonly masked?: string;
  readonly full?: string;
}

export interface ExportedSite {
  readonly runs: readonly { readonly folder: string; readonly summary: RunSummary }[];
  readonly revealable: boolean;
}

export interface ExportedRun {
  readonly detail: RunDetail;
  readonly index: PackedIndex;
  /** Items in each text file: prompts of items k*n to k*n+n-1 are in text-k.js. */
  readonly itemsPerText: number;
  /** First item of each trials-k.js, ascending. */
  readonly trialStarts: readonly number[];
}

export interface ExportedItem {
  readonly item: number;
  readonly redacted: boolean;
  readonly trials: readonly ExportedTrial[];
}

export type ExportedTrial = Omit<TrialView, 'output'> & {
  readonly output: MaskableText;
  /** Texts are empty where the export leaves harmful text out. */
  readonly tokens?: readonly TokenTrace[];
};

/** What may be shown of a text. */
export function visibleText(
  { masked, full }: MaskableText,
  reveal: boolean,
): { readonly text: string; readonly masked: boolean } {
  if (masked === undefined) return { text: full ?? '', masked: false };
  return reveal && full !== undefined
    ? { text: full, masked: false }
    : { text: masked, masked: true };
}
