// Gradients at every point of one block, for the families whose blocks differ.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { expectGradients } from './gradient-check.ts';
import { onBackend } from './on-backend.ts';
import { fixtureModel, readFixture } from './parity/fixture.ts';

onBackend('cpu');

// Sandwich norms and soft caps; post-norms over all heads; parallel with one norm and with two; neighbouring pairs.
describe.each(['gemma2', 'gemma3', 'olmo2', 'phi', 'gpt-neox', 'gptj'])('%s', (family) => {
  it('has gradients equal to finite differences at every point of block 1', async () => {
    const fixture = await readFixture(family);
    const before = tf.memory().numTensors;
    const model = fixtureModel(fixture);
    const points = model.points().filter((name) => /^blocks\.1\.|^(?!blocks)/.test(name));
    expectGradients(model, [{ tokens: fixture.facts.prompts['long']!.slice(0, 6) }], points);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
