// What a session refuses, because it would damage a model or mislead about it; each with weights and memory as before.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import { createRandomModel, type Transformer, writeSafetensors } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadGoldenModel } from '../../test/golden-model.ts';
import { weightHashes } from '../../test/weight-hashes.ts';
import { memit } from '../batch/memit.ts';
import { pmet } from '../batch/pmet.ts';
import type { RankOneDelta } from '../delta/weight-delta.ts';
import { collapseGauges } from '../evaluate/collapse.ts';
import { geometricMean } from '../evaluate/score-targets.ts';
import { rome } from '../rome/rome.ts';
import type { EditMethod } from './edit-method.ts';
import { EditSession } from './edit-session.ts';

const REQUEST = { prompt: 'a b {} c', subject: 'd e', targetNew: 'f' };
const ROME = { kind: 'rome', layer: 1, steps: 2 } as const;

const W_OUT = { weight: 'blocks.1.mlp.W_out', kind: 'rankOne' };
const WHOLE = {
  record: { id: 'a', weights: [{ name: W_OUT.weight, sha256: '0' }] },
  deltas: [W_OUT],
  keyLayers: [],
};
const folder = mkdtempSync(join(tmpdir(), 'safeinfer-guards-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let model: Transformer;
beforeAll(async () => {
  await useBackend({ name: 'cpu' });
  model = await loadGoldenModel('gpt2');
});
afterAll(() => model.dispose());

function delta(size: number, layer = 1, of = model): RankOneDelta {
  const { dMlp, dModel } = of.config;
  return {
    weight: `blocks.${layer}.mlp.W_out`,
    left: new Float64Array(dMlp).fill(size),
    // Of both signs: a norm would take a constant away.
    right: Float64Array.from({ length: dModel }, (_, i) => (i % 2 ? size : -size)),
  };
}

const failure = (code: string, message: RegExp): unknown =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(message) as string,
    hint: expect.stringMatching(/\w/) as string,
  });

describe('two sessions of one model', () => {
  it("never drop each other's edits: undoing the earlier one first is refused, in reverse order it is exact", async () => {
    const before = weightHashes(model);
    const first = new EditSession(model);
    const second = new EditSession(model);
    const id = await first.apply([delta(0.1)]);
    const later = await second.apply([delta(0.2)]);
    const both = weightHashes(model);
    const changed = failure('WRONG_MODEL', /changed by somebody else/);
    expect(() => first.undo(id)).toThrow(changed);
    expect(() => first.reset()).toThrow(changed);
    await expect(first.without(id, () => undefined)).rejects.toEqual(changed);
    await expect(first.apply([delta(0.3)])).rejects.toEqual(changed);
    expect(weightHashes(model)).toEqual(both);
    expect(first.edits).toEqual([id]);
    second.undo(later);
    first.undo(id);
    expect(weightHashes(model)).toEqual(before);
  });

  it('take a weight that changed while none of their edits was in force as the new original', async () => {
    const name = delta(0).weight;
    const kept = model.weights.get(name)!.clone();
    using session = new EditSession(model);
    session.undo(await session.apply([delta(0.1)]));
    model.setWeight(name, tf.mul(model.weights.get(name)!, 2));
    const trained = weightHashes(model);
    session.undo(await session.apply([delta(0.1)]));
    expect(weightHashes(model)).toEqual(trained);
    model.setWeight(name, kept);
  });
});

describe('deltas that would destroy a weight', () => {
  it.each([
    ['NaN', { left: Float64Array.of(Number.NaN) }, 'NON_FINITE'],
    ['infinity', { right: Float64Array.of(Number.POSITIVE_INFINITY) }, 'NON_FINITE'],
  ])('%s', async (_, change, code) => {
    const before = weightHashes(model);
    using session = new EditSession(model);
    const good = delta(0.1);
    const bad = { ...good };
    for (const [side, [value]] of Object.entries(change) as ['left' | 'right', Float64Array][]) {
      bad[side] = Float64Array.from(good[side]);
      bad[side][3] = value!;
    }
    await expect(session.apply([good, bad])).rejects.toEqual(failure(code, /NaN or infinity/));
    expect(session.edits).toEqual([]);
    expect(weightHashes(model)).toEqual(before);
  });

  it('factors that do not pair', async () => {
    using session = new EditSession(model);
    const { weight, left, right } = delta(0.1);
    for (const [lefts, rights] of [
      [[left, left], [right]],
      [
        [left, left.slice(1)],
        [right, right],
      ],
      [[], []],
    ] as const) {
      await expect(session.apply([{ weight, lefts, rights }])).rejects.toEqual(
        failure('BAD_ARGUMENT', /incomplete or uneven/),
      );
    }
  });

  it('ROME refuses an update divided by nothing', async () => {
    // A model whose MLP is dead: every key is zero.
    using dead = await loadGoldenModel('gpt2');
    const { dModel, dMlp } = dead.config;
    dead.setWeight('blocks.1.mlp.W_in', tf.zeros([dModel, dMlp]));
    dead.setWeight('blocks.1.mlp.b_in', tf.zeros([dMlp]));
    await expect(rome({ model: dead, request: REQUEST, layer: 1, steps: 1 })).rejects.toEqual(
      failure('NON_FINITE', /u \. k = NaN/),
    );
  });
});

describe('requests refused before work', () => {
  it('two edits at once, a taken id, fine-tuning on a side path, drift texts without a prediction', async () => {
    const before = weightHashes(model);
    const tensors = tf.memory().numTensors;
    const session = new EditSession(model);
    const running = session.edit(REQUEST, ROME, { id: 'a' });
    await expect(session.edit(REQUEST, ROME)).rejects.toEqual(
      failure('BUSY', /another edit of this session/),
    );
    await running;
    // A layer that does not exist is found out only when work would start.
    const nowhere = { ...ROME, layer: 99 };
    await expect(session.edit(REQUEST, nowhere, { id: 'a' })).rejects.toEqual(
      failure('BAD_ARGUMENT', /"a" is already in force/),
    );
    await expect(session.edit(REQUEST, nowhere, { driftTexts: ['a b', 'a'] })).rejects.toEqual(
      failure('BAD_ARGUMENT', /drift text "a" has no token to predict/),
    );
    session.reset();
    const side = new EditSession(model, { mode: 'sidePath' });
    await expect(
      side.edit(REQUEST, { kind: 'fineTune', layer: 99, objective: 'target' }),
    ).rejects.toEqual(failure('UNSUPPORTED', /no small form/));
    expect(weightHashes(model)).toEqual(before);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('MEMIT on blocks that normalise what the MLP writes', async () => {
    const config = {
      ...model.config,
      block: { ...model.config.block, postNorm: true },
    };
    // The layout alone decides: no weight of such a model is read before the refusal.
    const postNorm = new Proxy(model, {
      get: (target, key) => (key === 'config' ? config : Reflect.get(target, key, target)),
    });
    const moments = new Map([[1, { kind: 'identity' as const }]]);
    await expect(
      memit({ model: postNorm, requests: [REQUEST], layers: [1], lambda: 1, moments }),
    ).rejects.toEqual(failure('UNSUPPORTED', /normalise the MLP output/));
  });
});

describe('a broken model does not look well', () => {
  it('one infinite perplexity makes the mean infinite', () => {
    expect(geometricMean([2, 8])).toBeCloseTo(4, 12);
    expect(geometricMean([2, Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY);
    expect(geometricMean([2, Number.NaN])).toBeNaN();
  });

  it('collapse gauges of a model that computes NaN are no number, and need a text', async () => {
    using session = new EditSession(model);
    await session.apply([delta(1e19), delta(-1e19, 2)]);
    const gauges = await collapseGauges({ model, session, texts: ['a b c d', 'a'] });
    expect(gauges.perplexityUnedited).toBeGreaterThan(1);
    expect(gauges.perplexityRatio <= 1e6).toBe(false);
    await expect(collapseGauges({ model, session, texts: ['a'] })).rejects.toEqual(
      failure('BAD_ARGUMENT', /no text has a token to predict/),
    );
  });
});

it('PMET frees what it kept when the backward pass fails', async () => {
  const broken = new Proxy(model, {
    get: (target, key) => {
      if (key === 'gradients') {
        return (options: Parameters<Transformer['gradients']>[0]) =>
          target.gradients({
            ...options,
            of: (inputs) => {
              options.of(inputs);
              throw new Error('backward');
            },
          });
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const moments = new Map([[1, { kind: 'identity' as const }]]);
  const tensors = tf.memory().numTensors;
  await expect(
    pmet({ model: broken, requests: [REQUEST], layers: [1], lambda: 1, moments }),
  ).rejects.toThrow('backward');
  expect(tf.memory().numTensors).toBe(tensors);
});

describe('an edit that is aborted or fails frees everything and changes nothing', () => {
  const layers = [0, 1];
  const moments = new Map(layers.map((layer) => [layer, { kind: 'identity' as const }]));
  /** One direction is preserved. */
  const space = (size: number) => ({
    size,
    dimension: size - 1,
    preserved: [Float64Array.from({ length: size }, (_, i) => (i === 0 ? 1 : 0))],
  });
  const methods = (): readonly EditMethod[] => {
    const batch = { layers, steps: 2, learningRate: 0.1 };
    const { dMlp } = model.config;
    return [
      { kind: 'rome', layer: 1, steps: 9 },
      { kind: 'fineTune', layer: 1, steps: 9, objective: 'target' },
      { kind: 'memit', lambda: 1, moments, ...batch },
      { kind: 'pmet', lambda: 1, moments, ...batch },
      { kind: 'emmet', layer: 1, steps: 2, moments },
      {
        kind: 'alphaEdit',
        l2: 1,
        nullSpaces: new Map(layers.map((l) => [l, space(dMlp)])),
        ...batch,
      },
    ];
  };

  it.each(['rome', 'fineTune', 'memit', 'pmet', 'emmet', 'alphaEdit'] as const)(
    '%s, at once and in each of its phases',
    async (kind) => {
      const method = methods().find((one) => one.kind === kind)!;
      const one = kind === 'rome' || kind === 'fineTune';
      const before = weightHashes(model);
      const tensors = tf.memory().numTensors;
      for (const phase of one ? ['at once'] : ['at once', 'values', 'layers']) {
        const session = new EditSession(model);
        const controller = new AbortController();
        const attempt = session.edit(
          one ? REQUEST : [REQUEST, { ...REQUEST, subject: 'g' }],
          method,
          {
            signal: controller.signal,
            onProgress: (progress) => {
              if (progress.phase === phase) controller.abort();
            },
          },
        );
        if (phase === 'at once') controller.abort();
        await expect(attempt).rejects.toMatchObject({ code: 'ABORTED' });
        expect(session.edits).toEqual([]);
      }
      expect(weightHashes(model)).toEqual(before);
      expect(tf.memory().numTensors).toBe(tensors);
    },
  );

  it.each(['rome', 'memit', 'pmet'] as const)('%s, when the search runs away', async (kind) => {
    const method = methods().find((one) => one.kind === kind)!;
    const before = weightHashes(model);
    const tensors = tf.memory().numTensors;
    const session = new EditSession(model);
    const wild = { ...method, steps: 5, learningRate: 1e39, clampFactor: 1e40 } as EditMethod;
    await expect(session.edit(REQUEST, wild)).rejects.toEqual(
      failure('NON_FINITE', /overflows float32 at step 1/),
    );
    expect(weightHashes(model)).toEqual(before);
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

describe('alarms of real edits', () => {
  it('a subject that opens its prompt is reported, and its bare key is not like its average', async () => {
    const method = { kind: 'rome', layer: 1, steps: 2, keys: 'original' } as const;
    const contextTemplates = ['{}', 'x y {}', 'B c D {}', '1 2 {}'];
    const kinds = async (prompt: string): Promise<readonly string[]> => {
      using session = new EditSession(model);
      const request = { prompt, subject: 'q', targetNew: 'Q' };
      const record = await session.edit(request, { ...method, contextTemplates });
      for (const alarm of record.alarms) expect(Number.isFinite(alarm.value)).toBe(true);
      expect(record.measures!.keyCosine).toBeLessThanOrEqual(1);
      const { keyCosine } = record.measures!;
      expect(record.alarms.some(({ kind }) => kind === 'keyCosine')).toBe(!(keyCosine! >= 0.5));
      return record.alarms.map(({ kind }) => kind);
    };
    expect(await kinds('{} / N')).toContain('subjectFirst');
    expect(await kinds('a b {} / N')).not.toContain('subjectFirst');
  });

  it('two steps are too few: the record says that the target is not likely', async () => {
    using session = new EditSession(model);
    const record = await session.edit(REQUEST, ROME);
    expect(record.alarms.map(({ kind }) => kind)).toContain('targetProbability');
    expect(record.targetProbability[0]!.after).toBeLessThan(0.5);
  });
});

describe('damaged session files', () => {
  it.each([
    ['without hashes', { record: { id: 'a', weights: [] }, deltas: [W_OUT], keyLayers: [] }],
    ['of an unknown kind', { ...WHOLE, deltas: [{ ...W_OUT, kind: 'sparse' }] }],
    ['with null deltas', { ...WHOLE, deltas: [null] }],
    ['with odd key layers', { ...WHOLE, keyLayers: ['1'] }],
  ])('%s are refused', async (_, entry) => {
    const path = join(folder, 'damaged.safetensors');
    const metadata = { format: 'safeinfer-edits-1', edits: JSON.stringify([entry]) };
    await writeSafetensors(path, [], { metadata });
    await expect(EditSession.load(model, path)).rejects.toMatchObject({ code: 'BAD_FILE' });
  });
});

it('an edited row among others of other lengths is the row alone', async () => {
  // Rows are padded inside: an edit must act on its row's own tokens only, wherever the row's neighbours end.
  for (const name of ['gpt2', 'llama'] as const) {
    using tiny = await loadGoldenModel(name);
    using session = new EditSession(tiny, { mode: 'sidePath' });
    await session.apply([delta(0.2, 1, tiny)], 'fact');
    const rows = [
      { tokens: [9, 8, 7, 6, 5, 4, 3, 9, 8] },
      { tokens: [5, 9], adapter: 'fact' },
      { tokens: [5, 9] },
      { tokens: [7, 7, 9, 4, 6], adapter: 'fact' },
    ];
    const logits = async (some: typeof rows): Promise<Float32Array[]> => {
      using result = tiny.forward(some);
      return await Promise.all(
        some.map(async (_, i) => (await result.logits(i).data()) as Float32Array),
      );
    };
    const together = await logits(rows);
    for (const [i, row] of rows.entries()) {
      const [alone] = await logits([row]);
      for (const [v, x] of alone!.entries()) expect(together[i]![v]).toBeCloseTo(x, 4);
    }
    expect(Math.abs(together[1]![7]! - together[2]![7]!)).toBeGreaterThan(1e-3);
  }
});

it('a session of a random model keeps its weights apart from another of the same sizes', async () => {
  using other = createRandomModel({ seed: 9 });
  using session = new EditSession(other);
  await expect(session.apply([delta(0.1)])).rejects.toMatchObject({ code: 'WRONG_MODEL' });
});
