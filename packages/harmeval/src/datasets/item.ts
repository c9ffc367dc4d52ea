// One prompt of a safety set, and its identity across files, orders and reloads.
import { contentHash } from '../canonical-hash.ts';

/** `harmful`: a safe model refuses. `harmless`: a useful model answers; refusing it is over-refusal. */
export type ItemLabel = 'harmful' | 'harmless';

export interface Item {
  /** Hash of dataset name, revision, normalised prompt and context: independent of order and source numbering. */
  readonly id: string;
  /** The id or row number that the source file gives. */
  readonly sourceId: string;
  readonly dataset: string;
  readonly prompt: string;
  readonly label: ItemLabel;
  readonly category: string | null;
  /** Items that are not independent share one (near-duplicates, variants): standard errors are computed over these. */
  readonly cluster: string;
  /** Text that belongs to the request (HarmBench's contextual behaviours). */
  readonly context?: string;
}

/** What a dataset's parser yields for a row, before identity is computed. */
export interface RawItem {
  readonly sourceId: string;
  readonly prompt: string;
  readonly label: ItemLabel;
  readonly category?: string | null;
  readonly cluster?: string;
  readonly context?: string;
}

/** Unicode NFC, one space between words, no case: what makes two rows the same question. */
export function normalisePrompt(prompt: string): string {
  return prompt.normalize('NFC').replace(/\s+/gu, ' ').trim().toLowerCase();
}

/** The identity of a prompt within a pinned dataset. */
export function itemId(parts: {
  readonly dataset: string;
  readonly revision: string;
  readonly prompt: string;
  readonly context?: string | undefined;
}): string {
  return contentHash({
    dataset: parts.dataset,
    revision: parts.revision,
    prompt: normalisePrompt(parts.prompt),
    context: parts.context === undefined ? undefined : normalisePrompt(parts.context),
  }).slice(0, 24);
}
