import { describe, expect, it } from 'vitest';
import { distinctHeads } from './head-vector.ts';
import { PUBLISHED_HEADS, safetyPreset } from './presets.ts';

const llama = { family: 'llama', nLayers: 32, nHeads: 32 };

describe('presets', () => {
  it('say what the paper and the released code used on Llama-2-7B', () => {
    expect(safetyPreset('paper', llama)).toMatchObject({ layer: 8, strength: 0.5, topHeads: 10 });
    const released = safetyPreset('released-code', llama);
    expect(released).toMatchObject({ layer: 8, strength: 1.5 });
    expect(released.heads).toHaveLength(10);
    expect(released.heads![0]).toEqual({ layer: 14, head: 1 });
    expect(safetyPreset('default', llama).layer).toBe(11);
  });

  it('know that the list for Mistral has seven distinct heads', () => {
    expect(distinctHeads(PUBLISHED_HEADS['mistral-7b'])).toHaveLength(7);
  });

  it('fit a model of few heads', () => {
    expect(safetyPreset('default', { family: 'llama', nLayers: 2, nHeads: 4 }).topHeads).toBe(8);
  });

  it('refuse to carry a published list over to another model', () => {
    expect(() => safetyPreset('released-code', { ...llama, nLayers: 26 })).toThrow(/26/);
    expect(() => safetyPreset('released-code', { ...llama, family: 'gpt2' })).toThrow(/gpt2/);
  });
});
