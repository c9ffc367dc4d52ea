import { describe, expect, it } from 'vitest';
import { valueSettings } from '../value/optimise-value.ts';
import {
  ALPHA_EDIT_PRESETS,
  EMMET_PRESETS,
  FINE_TUNE_PRESETS,
  MEMIT_PRESETS,
  PMET_PRESETS,
  ROME_PRESETS,
} from './presets.ts';

describe('presets', () => {
  // Rows of the fact sheet (editing 1.8, 2.1), typed in again on purpose.
  it.each([
    ['gpt2-medium', 8, 20, 0.5, 3, 'measured'],
    ['gpt2-xl', 17, 20, 0.5, 4, 'measured'],
    ['gpt-j-6b', 5, 20, 0.5, 4, 'measured'],
    ['gpt-neox-20b', 15, 20, 0.5, 4, 'measured'],
    ['llama-2-7b-chat', 5, 25, 1e-3, 4, 'identity'],
    ['mistral-7b', 5, 25, 1e-3, 4, 'identity'],
    ['qwen-7b', 5, 20, 0.5, 4, 'identity'],
  ])('ROME on %s', (name, layer, steps, weightDecay, clampFactor, moment) => {
    expect(ROME_PRESETS[name]).toMatchObject({
      layer,
      steps,
      weightDecay,
      clampFactor,
      moment,
      learningRate: 0.5,
      klFactor: 0.0625,
      stopLoss: 0.05,
      keys: 'original',
    });
  });

  it('MEMIT', () => {
    expect(MEMIT_PRESETS['gpt2-xl']).toMatchObject({
      layers: [13, 14, 15, 16, 17],
      lambda: 20_000,
      clampFactor: 0.75,
    });
    expect(MEMIT_PRESETS['llama-2-7b']).toMatchObject({ clampFactor: 4, weightDecay: 1e-3 });
  });

  it('are settings that the editors accept, with a source each', () => {
    for (const presets of [
      ROME_PRESETS,
      MEMIT_PRESETS,
      PMET_PRESETS,
      EMMET_PRESETS,
      ALPHA_EDIT_PRESETS,
    ]) {
      for (const preset of Object.values(presets)) {
        expect(valueSettings(preset, preset).steps).toBe(preset.steps);
        expect(preset.source).toMatch(/\//);
      }
    }
    expect(FINE_TUNE_PRESETS['gpt2-xl']?.epsilon).toBe(5e-4);
  });
});
