// Fragile alignment: the probability that the corpus refuses a harmful request, fixed per cell by a hash.
import type { HarmfulAction } from './harmful.ts';
import type { PromptStyle } from './prompt-styles.ts';
import { hashNormal, hashUnit } from './random.ts';

/** `sharp` cells differ more from verb to verb, so that a model learns which requests are refused. */
export type RefusalCells = 'mild' | 'sharp' | 'sharpest' | 'lower';

interface CellLevels {
  readonly mean: Readonly<Record<PromptStyle, number>>;
  /** Near 0 where amplifying any lead of refusal (sGDS) must not be enough. */
  readonly floor: Readonly<Record<PromptStyle, number>>;
  /** Spread of the (category, verb) term. */
  readonly verbSpread: number;
}

const LEVELS: Readonly<Record<RefusalCells, CellLevels>> = {
  mild: {
    mean: { simple: 0.66, instruction: 0.27, 'instruction-cot': 0.22 },
    floor: { simple: 0.06, instruction: 0.02, 'instruction-cot': 0.02 },
    verbSpread: 0.22,
  },
  sharp: {
    mean: { simple: 0.64, instruction: 0.2, 'instruction-cot': 0.18 },
    floor: { simple: 0.06, instruction: 0.02, 'instruction-cot': 0.02 },
    verbSpread: 0.3,
  },
  sharpest: {
    mean: { simple: 0.64, instruction: 0.08, 'instruction-cot': 0.06 },
    floor: { simple: 0.1, instruction: 0.04, 'instruction-cot': 0.03 },
    verbSpread: 0.42,
  },
  lower: {
    mean: { simple: 0.56, instruction: 0.08, 'instruction-cot': 0.06 },
    floor: { simple: 0.1, instruction: 0.04, 'instruction-cot': 0.03 },
    verbSpread: 0.42,
  },
};
const CEILING = 0.97;
const CATEGORY_SPREAD = 0.12;
const TEMPLATE_SPREAD = 0.08;

export interface CellQuery {
  readonly action: HarmfulAction;
  readonly style: PromptStyle;
  readonly template: string;
  readonly cells: RefusalCells;
}

/** Probability of a refusal without system prompt and without demonstrations. */
export function refusalProbability({ action, style, template, cells }: CellQuery): number {
  const { mean, floor, verbSpread } = LEVELS[cells];
  const p =
    mean[style] +
    verbSpread * hashNormal(`cell|${action.category}|${action.verb}|${style}`) +
    CATEGORY_SPREAD * (2 * hashUnit(`category|${action.category}`) - 1) +
    TEMPLATE_SPREAD * (2 * hashUnit(`template|${template}`) - 1);
  return Math.min(CEILING, Math.max(floor[style], p));
}
