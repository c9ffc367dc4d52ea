// What `safeinfer edit` is told on the command line.

import type { EditChoice, EditMethodName } from './edit-choice.ts';

export interface EditFlags {
  readonly model: string;
  readonly backend?: string;
  readonly out: string;
  readonly json: boolean;
  /** One fact. */
  readonly prompt?: string;
  readonly subject?: string;
  readonly target?: string;
  readonly truth?: string;
  readonly paraphrase?: readonly string[];
  readonly neighbor?: readonly string[];
  /** Or a file of facts; `pocket` for the bundled ones. */
  readonly requests?: string;
  readonly only?: readonly string[];
  readonly count?: number;
  readonly zsreTarget: 'answers' | 'alt';
  readonly method: EditMethodName;
  readonly preset?: string;
  readonly layer?: readonly number[];
  readonly factToken?: 'subjectLast' | 'last';
  readonly keys?: 'averaged' | 'original' | 'prompt';
  readonly lr?: number;
  readonly steps?: number;
  readonly clamp?: number;
  readonly decay?: number;
  readonly kl?: number;
  readonly stopLoss?: number;
  readonly lambda?: number;
  readonly nllFactor?: number;
  readonly momentScale?: number;
  readonly damp?: number;
  readonly l2?: number;
  readonly nullSpace?: number;
  readonly epsilon?: number;
  /** A file of second moments, or `identity`. */
  readonly moments?: string;
  /** A text file, one text a line, that moments are collected from. */
  readonly collect?: string;
  /** Texts whose perplexity must not rise. */
  readonly drift?: string;
  readonly seed: number;
  readonly undo?: string;
  readonly verify?: string;
  readonly id?: string;
}

export function choiceOfFlags(flags: EditFlags, facts: number): EditChoice {
  const { method, model, preset, layer: layers, factToken, keys, moments, collect } = flags;
  return {
    ...{ method, model, facts, preset, layers, factToken, keys, moments, collect },
    numbers: {
      learningRate: flags.lr,
      steps: flags.steps,
      clampFactor: flags.clamp,
      weightDecay: flags.decay,
      klFactor: flags.kl,
      stopLoss: flags.stopLoss,
      lambda: flags.lambda,
      nllFactor: flags.nllFactor,
      momentScale: flags.momentScale,
      damp: flags.damp,
      l2: flags.l2,
      nullSpaceThreshold: flags.nullSpace,
      epsilon: flags.epsilon,
    },
    words: 'flags',
  };
}
