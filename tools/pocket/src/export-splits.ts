// All data files of the package, by file name, from one seed.
import type { PocketData } from '@safeinfer/pocket';
import {
  exportAdapterPairs,
  exportAttacks,
  exportDemonstrations,
} from './export-demonstrations.ts';
import { exportFactQuestions, exportFacts } from './export-facts.ts';
import { exportBorderline, exportHarmful, exportHowTo } from './export-requests.ts';
import { SYSTEM_PROMPTS } from './system-prompts.ts';

/** The seed of the published splits. */
export const SPLIT_SEED = 7;

export function exportSplits(seed: number): { readonly [K in keyof PocketData]: PocketData[K][] } {
  return {
    harmful: exportHarmful(seed),
    borderline: exportBorderline(seed),
    'how-to': exportHowTo(),
    'fact-questions': exportFactQuestions(),
    facts: exportFacts(seed),
    demonstrations: exportDemonstrations(seed),
    'adapter-pairs': exportAdapterPairs(seed),
    attacks: exportAttacks(seed),
    'system-prompts': SYSTEM_PROMPTS.map(({ id, effect, set, text }) => ({
      id,
      effect,
      split: set,
      text,
    })),
  };
}
