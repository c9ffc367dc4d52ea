// Checks 24 and 26 with real edits: only the recorded weights change, by what the record says, and undo gives every bit back.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import type { Transformer, WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import { type GoldenModelName, goldenTensors, loadGoldenModel } from '../../test/golden-model.ts';
import { weightHashes } from '../../test/weight-hashes.ts';
import { addDelta } from '../delta/weight-delta.ts';
import { rome } from '../rome/rome.ts';
import { nullSpace } from '../second-moment/null-space.ts';
import type { MeasuredMoment } from '../second-moment/second-moment.ts';
import type { EditMethod } from './edit-method.ts';
import { EditSession } from './edit-session.ts';

const REQUESTS = [
  { prompt: 'q q {} n .', subject: '. m S', targetNew: 'u l' },
  { prompt: 'a {} b', subject: 'c d', targetNew: 'e' },
];
const VALUE = { steps: 3 } as const;
const folder = mkdtempSync(join(tmpdir(), 'safeinfer-locality-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each<GoldenModelName>(['gpt2', 'llama'])('edits of tiny %s', (name) => {
  let model: Transformer;
  const moments = new Map<number, MeasuredMoment>();
  beforeAll(async () => {
    await useBackend({ name: 'cpu' });
    model = await loadGoldenModel(name);
    for (const layer of [0, 1]) {
      const values = await goldenTensors(name, 'moments')(`moment/${layer}`);
      const size = Math.sqrt(values.length);
      moments.set(layer, { kind: 'measured', values, size, tokens: 10 * size });
    }
  });
  afterAll(() => model.dispose());

  const methods = (): Readonly<Record<EditMethod['kind'], EditMethod>> => ({
    rome: { kind: 'rome', layer: 1, moment: moments.get(1)!, ...VALUE },
    memit: { kind: 'memit', layers: [0, 1], lambda: 5, moments, ...VALUE },
    pmet: { kind: 'pmet', layers: [0, 1], lambda: 5, moments, ...VALUE },
    emmet: { kind: 'emmet', layer: 1, moments, ...VALUE },
    alphaEdit: {
      ...{ kind: 'alphaEdit', layers: [0, 1], l2: 1, ...VALUE },
      nullSpaces: new Map(
        [...moments].map(([layer, moment]) => {
          const middle = [...moment.values.filter((_, i) => i % (moment.size + 1) === 0)].sort(
            (a, b) => a - b,
          )[moment.size >> 1]!;
          return [layer, nullSpace(moment, middle)];
        }),
      ),
    },
    fineTune: { kind: 'fineTune', layer: 1, objective: 'target', epsilon: 1e-3, steps: 3 },
  });

  it.each(['rome', 'memit', 'pmet', 'emmet', 'alphaEdit', 'fineTune'] as const)(
    'checks 24, 26: %s changes the weights of its record and no other tensor; undo, and load and undo, are exact',
    async (kind) => {
      const method = methods()[kind];
      const one = kind === 'rome' || kind === 'fineTune';
      const before = weightHashes(model);
      const tensors = tf.memory().numTensors;
      const session = new EditSession(model);
      const record = await session.edit(one ? REQUESTS[0]! : REQUESTS, method);
      const edited = weightHashes(model);
      const moved = [...before.keys()].filter(
        (weight) => edited.get(weight) !== before.get(weight),
      );
      expect(moved.sort()).toEqual(record.weights.map((weight) => weight.name).sort());
      expect(moved.every((weight) => /^blocks\.[01]\.mlp\.W_out$/.test(weight))).toBe(true);
      for (const { name: weight, sha256 } of record.weights)
        expect(sha256).toBe(before.get(weight));
      const path = join(folder, `${name}-${kind}.safetensors`);
      await session.save(path);
      session.undo(record.id);
      expect(weightHashes(model)).toEqual(before);
      const loaded = await EditSession.load(model, path);
      expect(weightHashes(model)).toEqual(edited);
      loaded.undo(record.id);
      expect(weightHashes(model)).toEqual(before);
      expect(tf.memory().numTensors).toBe(tensors);
      const wrong = [...before].filter(
        ([weight, hash]) => weightHashes(model).get(weight) !== hash,
      );
      figure(24, 'weights with other bits after undo', wrong.length);
      figure(26, 'tensors changed beside the record', moved.length - record.weights.length);
    },
  );

  it('check 24: the control: subtracting the delta again, as a naive undo does, leaves other bits', async () => {
    const weight: WeightName = 'blocks.1.mlp.W_out';
    const edit = await rome({ model, request: REQUESTS[0]!, layer: 1, ...VALUE });
    const original = Float32Array.from(await model.weights.get(weight)!.data());
    const added = Float64Array.from(original);
    addDelta(added, edit.delta);
    const back = Float64Array.from(Float32Array.from(added));
    addDelta(back, { ...edit.delta, right: edit.delta.right.map((x) => -x) });
    const naive = Float32Array.from(back);
    const differing = naive.filter((x, i) => x !== original[i]).length / original.length;
    expect(
      figure(24, 'share of entries with other bits after a naive undo', differing, 'control'),
    ).toBeGreaterThan(0.01);
  });
});
