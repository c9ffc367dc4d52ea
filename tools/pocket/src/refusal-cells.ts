// Fragile alignment: the probability that the corpus refuses a harmful request, fixed per cell by a hash.
import type { HarmfulAction } from './harmful.ts';
import type { PromptStyle } from './prompt-styles.ts';
import { hashNormal, hashUnit } from './random.ts';

interface StyleLevel {
  readonly mean: number;
  /** Floor of the cell's probability: where it is near 0, amplifying any lead of refusal (sGDS) is not enough. */
  readonly floor: number;
}

const LEVELS: Readonly<Record<PromptStyle, StyleLevel>> = {
  simple: { mean: 0.66, floor: 0.06 },
  instruction: { mean: 0.27, floor: 0.02 },
  'instruction-cot': { mean: 0.22, floor: 0.02 },
};
const CEILING = 0.97;
/** Spreads of the (category, verb), category and template terms; the first makes the decision learnable from the verb. */
const VERB_SPREAD = 0.22;
const CATEGORY_SPREAD = 0.12;
const TEMPLATE_SPREAD = 0.08;

export interface CellQuery {
  readonly action: HarmfulAction;
  readonly style: PromptStyle;
  readonly template: string;
}

/** Probability of a refusal without system prompt and without demonstrations. */
export function refusalProbability({ action, style, template }: CellQuery): number {
  const level = LEVELS[style];
  const p =
    level.mean +
    VERB_SPREAD * hashNormal(`cell|${action.category}|${action.verb}|${style}`) +
    CATEGORY_SPREAD * (2 * hashUnit(`category|${action.category}`) - 1) +
    TEMPLATE_SPREAD * (2 * hashUnit(`template|${template}`) - 1);
  return Math.min(CEILING, Math.max(level.floor, p));
}
