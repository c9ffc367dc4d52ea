import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { onBackend } from '../../test/on-backend.ts';
import { createRandomModel } from '../model/create-random-model.ts';
import type { Row } from '../model/row.ts';
import { normals } from '../random/seeded-random.ts';
import type { HookName } from './hook-name.ts';
import type { DataIntervention, Intervention } from './intervention.ts';

onBackend('cpu');

const TOKENS = [5, 9, 33, 2, 71, 8, 12];
const OTHER = [90, 1, 44];
const RESID: HookName = 'blocks.0.hook_resid_post';
const vector = normals(7, 32);
const unit = ((): number[] => {
  const length = Math.hypot(...vector);
  return [...vector].map((x) => x / length);
})();
const along = (x: readonly number[]): number => x.reduce((sum, v, i) => sum + v * unit[i]!, 0);

/** What each op makes of one token's residual, in float64. */
const OPS: Record<string, { readonly spec: object; readonly of: (x: number[]) => number[] }> = {
  add: {
    spec: { op: 'add', vector, scale: 0.5 },
    of: (x) => x.map((v, i) => v + 0.5 * vector[i]!),
  },
  set: { spec: { op: 'set', vector }, of: () => [...vector] },
  scale: { spec: { op: 'scale', factor: -2 }, of: (x) => x.map((v) => -2 * v) },
  zero: { spec: { op: 'zero' }, of: (x) => x.map(() => 0) },
  projectOut: {
    spec: { op: 'projectOut', vector, strength: 0.75 },
    of: (x) => x.map((v, i) => v - 0.75 * along(x) * unit[i]!),
  },
  setComponent: {
    spec: { op: 'setComponent', vector, target: 3 },
    of: (x) => x.map((v, i) => v + (3 - along(x)) * unit[i]!),
  },
  addKeepNorm: {
    spec: { op: 'addKeepNorm', vector, scale: 2 },
    of: (x) => {
      const moved = x.map((v, i) => v + 2 * vector[i]!);
      const ratio = Math.hypot(...x) / Math.hypot(...moved);
      return moved.map((v) => v * ratio);
    },
  },
  clamp: {
    spec: { op: 'clamp', min: -0.5, max: 0.25 },
    of: (x) => x.map((v) => Math.min(0.25, Math.max(-0.5, v))),
  },
};

function matrix(x: tf.Tensor): number[][] {
  return x.arraySync() as number[][];
}

describe('every op on the residual stream', () => {
  it.each(Object.entries(OPS))(
    '%s changes the named positions of its row and no bit else',
    (_, { spec, of }) => {
      using model = createRandomModel({ seed: 6 });
      const positions = { all: [0, 1, 2, 3, 4, 5, 6], last: [6], list: [1, 4, 6] };
      for (const [kind, changed] of Object.entries(positions)) {
        const given = kind === 'list' ? { positions: [1, -3, -1] } : { positions: kind };
        const intervention = { at: RESID, ...given, ...spec } as DataIntervention;
        const rows: Row[] = [
          { tokens: OTHER },
          { tokens: TOKENS, interventions: [intervention] },
          { tokens: TOKENS },
        ];
        using run = model.forward(rows, { capture: [RESID] });
        using plain = model.forward(
          rows.map(({ tokens }) => ({ tokens })),
          { capture: [RESID] },
        );
        const before = matrix(plain.captured(1, RESID));
        const after = matrix(run.captured(1, RESID));
        before.forEach((x, token) => {
          if (!changed.includes(token)) {
            expect(after[token]).toEqual(x);
            return;
          }
          of(x).forEach((v, i) => {
            expect(Math.abs(after[token]![i]! - v)).toBeLessThan(1e-5);
          });
        });
        expect(matrix(run.captured(0, RESID))).toEqual(matrix(plain.captured(0, RESID)));
        expect(matrix(run.captured(2, RESID))).toEqual(matrix(plain.captured(2, RESID)));
      }
    },
  );

  it('acts in the order given, each row with its own, as alone', () => {
    using model = createRandomModel({ seed: 6 });
    const kinds = Object.values(OPS).map(
      ({ spec }) => ({ at: RESID, ...spec }) as DataIntervention,
    );
    const lists = kinds.map((_, i): Intervention[] => [
      kinds[i]!,
      kinds[(i + 3) % kinds.length]!,
      { at: RESID, apply: (x: tf.Tensor) => tf.add(x, i) },
      kinds[(i + 5) % kinds.length]!,
    ]);
    const rows = lists.map(
      (interventions, i): Row => ({ tokens: i % 2 === 0 ? TOKENS : OTHER, interventions }),
    );
    using batch = model.forward(rows, { capture: [RESID] });
    rows.forEach((row, i) => {
      using alone = model.forward([row], { capture: [RESID] });
      const [a, b] = [matrix(batch.captured(i, RESID)), matrix(alone.captured(0, RESID))];
      a.forEach((line, t) => {
        line.forEach((v, j) => {
          expect(Math.abs(v - b[t]![j]!)).toBeLessThan(1e-4);
        });
      });
    });
  });

  it('is bit-identical to no intervention at strength 0', () => {
    using model = createRandomModel({ seed: 6 });
    const none: DataIntervention[] = [
      { at: RESID, op: 'add', vector, scale: 0 },
      { at: RESID, op: 'scale', factor: 1 },
      { at: RESID, op: 'projectOut', vector, strength: 0 },
      { at: RESID, op: 'addKeepNorm', vector, scale: 0 },
      { at: RESID, op: 'zero', positions: [] },
    ];
    using plain = model.forward([{ tokens: TOKENS }]);
    for (const intervention of none) {
      using run = model.forward([{ tokens: TOKENS, interventions: [intervention] }]);
      expect(run.logits(0).arraySync()).toEqual(plain.logits(0).arraySync());
    }
  });
});

describe('heads, patterns and patches', () => {
  const Z: HookName = 'blocks.1.attn.hook_z';
  const PATTERN: HookName = 'blocks.1.attn.hook_pattern';

  it('edits the named heads only', () => {
    using model = createRandomModel({ seed: 6 });
    const two = normals(3, 16);
    const interventions: Intervention[] = [
      { at: Z, op: 'set', vector: two, heads: [3, 1], positions: [2] },
    ];
    using run = model.forward([{ tokens: OTHER }, { tokens: TOKENS, interventions }], {
      capture: [Z],
    });
    using plain = model.forward([{ tokens: TOKENS }], { capture: [Z] });
    const before = plain.captured(0, Z).arraySync() as number[][][];
    const after = run.captured(1, Z).arraySync() as number[][][];
    before[2]![3] = [...two.slice(0, 8)];
    before[2]![1] = [...two.slice(8)];
    after.forEach((token, t) => {
      token.forEach((head, h) => {
        head.forEach((v, i) => {
          expect(Math.abs(v - before[t]![h]![i]!)).toBeLessThan(1e-5);
        });
      });
    });
  });

  it('makes one row the other where the other is patched in', () => {
    using model = createRandomModel({ seed: 6 });
    const corrupted = [...TOKENS.slice(0, -1), 13];
    const point: HookName = 'blocks.1.hook_resid_pre';
    using clean = model.forward([{ tokens: TOKENS }], { capture: [point, PATTERN, Z] });
    const values = clean.captured(0, point).dataSync() as Float32Array;
    using patched = model.forward([
      { tokens: corrupted, interventions: [{ at: point, op: 'patch', values }] },
      { tokens: corrupted },
    ]);
    const distance = (row: number): number =>
      tf.tidy(
        () => tf.sub(patched.logits(row), clean.logits(0)).abs().max().dataSync()[0] as number,
      );
    expect(distance(0)).toBeLessThan(1e-5);
    expect(distance(1)).toBeGreaterThan(0.1);
  });

  it('edits attention matrices of ragged rows and over caches', () => {
    using model = createRandomModel({ seed: 6 });
    const interventions: Intervention[] = [
      { at: PATTERN, op: 'zero', heads: [2], positions: [-1] },
      { at: PATTERN, op: 'scale', factor: 0.5, heads: [0], positions: [-1] },
      { at: 'blocks.1.attn.hook_attn_scores', apply: (x: tf.Tensor) => tf.mul(x, 1.5) },
    ];
    const rows: Row[] = [
      { tokens: OTHER, interventions },
      { tokens: TOKENS, interventions },
      { tokens: TOKENS },
    ];
    using batch = model.forward(rows, { capture: [PATTERN] });
    const caches = rows.map(() => model.createCache());
    // Caches of different make-up: the rows' keys line up differently.
    model.forward([{ tokens: OTHER.slice(0, 1), cache: caches[0]! }]).dispose();
    model.forward([{ tokens: OTHER.slice(1, 2), cache: caches[0]! }]).dispose();
    model
      .forward([1, 2].map((i) => ({ tokens: TOKENS.slice(0, -1), cache: caches[i]! })))
      .dispose();
    using step = model.forward(
      rows.map((row, i) => ({
        ...row,
        tokens: row.tokens.slice(-1) as number[],
        cache: caches[i]!,
      })),
      { capture: [PATTERN] },
    );
    rows.forEach((row, i) => {
      using alone = model.forward([row], { capture: [PATTERN] });
      const near = (a: tf.Tensor, b: tf.Tensor): number => {
        expect(a.shape).toEqual(b.shape);
        return tf.tidy(() => tf.sub(a, b).abs().max().dataSync()[0] as number);
      };
      const whole = alone.captured(0, PATTERN);
      expect(near(batch.captured(i, PATTERN), whole)).toBeLessThan(1e-5);
      expect(near(batch.logits(i), alone.logits(0))).toBeLessThan(1e-5);
      const length = row.tokens.length;
      const last = tf.slice(whole, [0, length - 1, 0], [-1, 1, -1]);
      expect(near(step.captured(i, PATTERN), last)).toBeLessThan(1e-5);
      expect(near(step.logits(i), alone.logits(0))).toBeLessThan(1e-5);
      last.dispose();
    });
    const zeroed = batch.captured(1, PATTERN).arraySync() as number[][][];
    expect(Math.max(...zeroed[2]!.at(-1)!)).toBe(0);
    for (const cache of caches) cache.dispose();
  });
});

describe('refusals', () => {
  it.each<[string, object, RegExp]>([
    ['a vector of the wrong length', { at: RESID, op: 'add', vector: [1, 2] }, /2 numbers/],
    ['heads where there are none', { at: RESID, op: 'zero', heads: [0] }, /no head axis/],
    [
      'a head that does not exist',
      { at: 'blocks.0.attn.hook_z', op: 'zero', heads: [4] },
      /head 4/,
    ],
    ['a position outside the row', { at: RESID, op: 'zero', positions: [7] }, /position 7/],
    [
      'a negative position outside the row',
      { at: RESID, op: 'zero', positions: [-8] },
      /position -8/,
    ],
    ['NaN', { at: RESID, op: 'set', vector: new Float32Array(32).fill(Number.NaN) }, /NaN/],
    [
      'an infinite scale',
      { at: RESID, op: 'add', vector, scale: Number.POSITIVE_INFINITY },
      /scale/,
    ],
    [
      'a direction without length',
      { at: RESID, op: 'projectOut', vector: new Float32Array(32) },
      /zero vector/,
    ],
    [
      'a patch of the wrong size',
      { at: RESID, op: 'patch', values: [1], positions: [0] },
      /1 numbers/,
    ],
  ])('%s', (_, intervention, message) => {
    using model = createRandomModel({ seed: 6 });
    const before = tf.memory().numTensors;
    const rows = [{ tokens: TOKENS, interventions: [intervention as DataIntervention] }];
    expect(() => model.forward(rows)).toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });
});
