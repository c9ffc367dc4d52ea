import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from './describe-backends.ts';
import { useBackend } from './use-backend.ts';

it('says of every backend what it is or what would make it start, and leaves the active one', async () => {
  await useBackend({ name: 'wasm' });
  const facts = await describeBackends();
  expect(tf.getBackend()).toBe('wasm');
  expect(facts.backends.map(({ name }) => name)).toEqual([
    'tfjs-node-gpu',
    'webgpu',
    'ort',
    'tfjs-node',
    'wasm',
    'cpu',
  ]);
  for (const backend of facts.backends) {
    expect(backend.available).toBe(backend.reason === '');
    if (!backend.available) expect(backend.remedy).not.toBe('');
    else expect(Object.keys(backend.versions).length).toBeGreaterThan(0);
  }
  const always = facts.backends.filter(({ name }) => name === 'wasm' || name === 'cpu');
  expect(always.every(({ available }) => available)).toBe(true);
});
