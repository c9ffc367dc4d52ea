// Settings of the bundled model: of one fact, and of several that share one model, which break under those of one.
import type { EditChoice, EditMethodName } from './edit-choice.ts';

/** Settings by name, as they were published. */
export interface Preset {
  readonly source: string;
  readonly layer?: number;
  readonly layers?: readonly number[];
  readonly keys?: 'original' | 'averaged';
  readonly moment?: 'measured' | 'identity';
  readonly factToken?: 'last';
}

const FOR_ONE = 'bundled model, for one fact';
const FOR_SEVERAL = 'bundled model, for several facts';

/** Measured on facts other than those whose figures are reported: packages/editing/bench/pocket-edits.ts. */
const VALUE = {
  learningRate: 1,
  steps: 120,
  weightDecay: 1e-3,
  clampFactor: 4,
  klFactor: 0.0625,
  stopLoss: 0.05,
} as const;
const FINE_TUNE = { layer: 5, learningRate: 5e-3, steps: 25, stopLoss: 1e-2, source: FOR_ONE };
const ONE: Readonly<Record<EditMethodName, Preset>> = {
  rome: { layer: 0, ...VALUE, source: FOR_ONE },
  memit: { layers: [0], ...VALUE, ...{ lambda: 10 }, source: FOR_ONE },
  // Attention is optimised, too, but not written: at layer 0 nothing is left for the MLP.
  pmet: { layers: [5, 6], factToken: 'last', ...VALUE, ...{ lambda: 10 }, source: FOR_ONE },
  emmet: { layer: 0, ...VALUE, ...{ momentScale: 1, damp: 0.1 }, source: FOR_ONE },
  alphaEdit: {
    layers: [4, 5],
    factToken: 'last',
    ...VALUE,
    ...{ clampFactor: 2, l2: 1, nullSpaceThreshold: 0.1 },
    source: FOR_ONE,
  },
  'ft-m': FINE_TUNE,
  'ft-l': FINE_TUNE,
};

/** Twenty edits in a row hold under these, chosen on other facts: packages/editing/EVALUATION.md. */
const AT = { layers: [5, 6], factToken: 'last', source: FOR_SEVERAL } as const;
const SEVERAL: Readonly<Partial<Record<EditMethodName, Preset>>> = {
  memit: { ...AT, ...VALUE, ...{ lambda: 700 } },
  alphaEdit: { ...AT, ...VALUE, ...{ l2: 40, nullSpaceThreshold: 0.3 } },
};

/** What `preset` may name. */
export function pocketPresets(method: EditMethodName): Readonly<Record<string, Preset>> {
  const several = SEVERAL[method];
  return { pocket: ONE[method], ...(several ? { 'pocket-several': several } : {}) };
}

/** What an edit that names no preset gets; its source says why. */
export function pocketSettings(choice: EditChoice): Preset {
  const { method, facts } = choice;
  const one = ONE[method];
  const several = SEVERAL[method];
  const why = (preset: Preset, reason: string): Preset => ({
    ...preset,
    source: `${preset.source}: ${reason}`,
  });
  if (facts <= 1) return one;
  if (several === undefined)
    return why(one, `${facts} share one model, for which none were chosen with ${method}`);
  if (choice.layers === undefined && choice.factToken === undefined)
    return why(several, `${facts} share one model`);
  const given = choice.layers === undefined ? 'another token is' : 'layers are';
  return why(one, `those for several belong to layers 5, 6 and the last token, and ${given} given`);
}
