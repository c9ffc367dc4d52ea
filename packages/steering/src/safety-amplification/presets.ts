// Named settings of safety amplification: the corrected default, the paper's text, and what the released code did.
import { SafeInferError } from '@safeinfer/backend';
import type { ModelConfig } from '@safeinfer/transformer';
import type { HeadRef } from './head-vector.ts';
import type { SafetyAmplificationOptions } from './safety-amplification.ts';

export type SafetyPreset = 'default' | 'paper' | 'released-code';

export type SafetySettings = Pick<
  SafetyAmplificationOptions,
  | 'topHeads'
  | 'layer'
  | 'strength'
  | 'shots'
  | 'prompts'
  | 'effectPrompts'
  | 'queriesPerDraw'
  | 'metric'
  | 'inject'
> & { readonly heads?: readonly HeadRef[] };

function heads(pairs: readonly (readonly [layer: number, head: number])[]): HeadRef[] {
  return pairs.map(([layer, head]) => ({ layer, head }));
}

/**
 * The "universal" lists that the released code hard-wires (0-based; from function vectors' ICL tasks, not from safe
 * demonstrations). Mistral's has repeats, which that code adds twice and this package once.
 */
export const PUBLISHED_HEADS: Readonly<Record<'llama-2-7b' | 'mistral-7b', readonly HeadRef[]>> = {
  'llama-2-7b': heads([
    [14, 1],
    [11, 2],
    [9, 25],
    [12, 15],
    [12, 28],
    [13, 7],
    [11, 18],
    [12, 18],
    [16, 10],
    [14, 16],
  ]),
  'mistral-7b': heads([
    [14, 31],
    [14, 6],
    [15, 12],
    [14, 19],
    [14, 19],
    [15, 25],
    [16, 17],
    [16, 17],
    [15, 12],
    [11, 10],
  ]),
};

/**
 * Options to spread into `safetyAmplification`. 'default': AIE on the model and demonstrations given, 5 draws of
 * demonstrations with 5 queries each, layer about L/3, gamma 0.5. 'paper': the 9th of 32 layers, which is L/4 counted from 0, gamma 0.5. 'released-code': layer
 * index 8, gamma 1.5 and the published head list; for Llama-2-7B and Mistral-7B only (UNSUPPORTED elsewhere).
 */
export function safetyPreset(
  name: SafetyPreset,
  config: Pick<ModelConfig, 'family' | 'nLayers' | 'nHeads'>,
): SafetySettings {
  const { nLayers, nHeads, family } = config;
  const common = { topHeads: 10, shots: 10, prompts: 100, effectPrompts: 25 } as const;
  const topHeads = Math.min(common.topHeads, nLayers * nHeads);
  if (name === 'default') {
    const layer = Math.min(nLayers - 1, Math.round(nLayers / 3));
    return {
      ...common,
      topHeads,
      layer,
      strength: 0.5,
      metric: 'logitDifference',
      // On the bundled model the ranking is as good as with 25 draws (r 0.99 with one of 150), for a third of the work.
      queriesPerDraw: 5,
    };
  }
  if (name === 'paper') {
    const layer = Math.min(nLayers - 1, Math.round(nLayers / 4));
    return { ...common, topHeads, layer, strength: 0.5, metric: 'probability' };
  }
  const list = family === 'llama' ? 'llama-2-7b' : family === 'mistral' ? 'mistral-7b' : undefined;
  if (list === undefined || nLayers !== 32 || nHeads !== 32) {
    throw new SafeInferError(
      `the released head lists are for Llama-2-7B and Mistral-7B, not a ${family} of ${nLayers} x ${nHeads} heads`,
      { code: 'UNSUPPORTED', hint: "use the preset 'default', which ranks this model's own heads" },
    );
  }
  return { ...common, layer: 8, strength: 1.5, heads: PUBLISHED_HEADS[list] };
}
