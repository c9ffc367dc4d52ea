import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import {
  createRandomModel,
  normals,
  uniformAt,
  type WeightName,
  writeSafetensors,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import { goldenJson, loadGoldenModel, relativeError } from '../../test/golden-model.ts';
import { weightHashes } from '../../test/weight-hashes.ts';
import { factorsOf, type WeightDelta } from '../delta/weight-delta.ts';
import { EditSession } from './edit-session.ts';

const directory = mkdtempSync(join(tmpdir(), 'safeinfer-session-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeAll(async () => {
  await useBackend({ name: 'cpu' });
});

const SIZES = { dModel: 8, nHeads: 2, dMlp: 12, vocabSize: 16, nLayers: 2, like: 'gpt2' } as const;
const EDITABLE: readonly WeightName[] = ['blocks.0.mlp.W_out', 'blocks.1.mlp.W_out'];

/** One to three random deltas, of all three kinds. */
function randomDeltas(seed: number): WeightDelta[] {
  const vector = (stream: number, size: number): Float64Array =>
    Float64Array.from(normals(seed * 31 + stream, size), (x) => x / 7);
  return Array.from({ length: 1 + Math.floor(3 * uniformAt(seed, 0)) }, (_, d): WeightDelta => {
    const weight = EDITABLE[Math.floor(2 * uniformAt(seed, 10 + d))]!;
    const kind = Math.floor(3 * uniformAt(seed, 20 + d));
    if (kind === 0) return { weight, left: vector(d, 12), right: vector(d + 5, 8) };
    if (kind === 1) {
      return {
        weight,
        lefts: [vector(d, 12), vector(d + 7, 12)],
        rights: [vector(d + 9, 8), vector(d + 11, 8)],
      };
    }
    return { weight, dense: vector(d, 96), shape: [12, 8] };
  });
}

/** The weight as it should be, computed the slow way: what the session's sums must equal bit for bit. */
function expectedWeight(original: Float32Array, deltas: readonly WeightDelta[]): Float32Array {
  return Float32Array.from(original, (start, index) => {
    const [i, j] = [Math.floor(index / 8), index % 8];
    let sum = start;
    for (const delta of deltas) {
      if ('dense' in delta) sum += delta.dense[index]!;
      else {
        const { lefts, rights } = factorsOf(delta)!;
        for (const [r, left] of lefts.entries()) sum += left[i]! * rights[r]![j]!;
      }
    }
    return sum;
  });
}

describe('1,000 random sequences of edit, undo, suspend, save and load', () => {
  it('checks 24, 26: restore every weight bit for bit and touch no other tensor', async () => {
    const tensors = tf.memory().numTensors;
    const model = createRandomModel({ config: SIZES, seed: 4 });
    const untouched = weightHashes(model);
    const originals = new Map(
      EDITABLE.map((name) => [name, (model.weights.get(name)!.dataSync() as Float32Array).slice()]),
    );
    const path = join(directory, 'session.safetensors');
    const counts = { apply: 0, undo: 0, load: 0, without: 0 };
    for (let sequence = 0; sequence < 1000; sequence += 1) {
      const draw = (n: number, step: number): number =>
        Math.floor(n * uniformAt(1000 + sequence, step));
      let session = new EditSession(model);
      const inForce = new Map<string, readonly WeightDelta[]>();
      const check = (left: readonly string[] = []): void => {
        const deltas = [...inForce].flatMap(([id, list]) => (left.includes(id) ? [] : list));
        const now = weightHashes(model);
        const moved = [...untouched].filter(
          ([name, hash]) => !EDITABLE.includes(name) && now.get(name) !== hash,
        );
        expect(moved).toEqual([]);
        for (const [name, values] of originals) {
          const own = deltas.filter(({ weight }) => weight === name);
          expect(model.weights.get(name)!.dataSync()).toEqual(expectedWeight(values, own));
        }
      };
      const steps = 3 + draw(5, 0);
      for (let step = 1; step <= steps; step += 1) {
        const action = draw(10, 10 * step);
        const ids = [...inForce.keys()];
        const chosen = ids[draw(Math.max(1, ids.length), 10 * step + 1)];
        if (chosen === undefined || action < 5) {
          const deltas = randomDeltas(10_000 * sequence + step);
          inForce.set(await session.apply(deltas), deltas);
          counts.apply += 1;
        } else if (action < 8) {
          session.undo(chosen);
          inForce.delete(chosen);
          counts.undo += 1;
        } else if (action === 8) {
          await session.without(chosen, () => check([chosen]));
          counts.without += 1;
        } else {
          await session.save(path);
          session.reset();
          expect(weightHashes(model)).toEqual(untouched);
          session = await EditSession.load(model, path);
          counts.load += 1;
        }
      }
      check();
      // Undone in random order, not in reverse.
      for (const [i, id] of [...inForce.keys()].sort().entries()) {
        if (draw(2, 900 + i) === 0) {
          session.undo(id);
          inForce.delete(id);
        }
      }
      check();
      session[Symbol.dispose]();
      expect(weightHashes(model)).toEqual(untouched);
    }
    expect(counts.apply).toBeGreaterThan(2000);
    expect(Math.min(counts.undo, counts.load, counts.without)).toBeGreaterThan(200);
    model.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
  }, 240_000);
});

describe('side path', () => {
  it('check 25: equals written weights, for the rows that ask for it, and leaves weights alone', async () => {
    const before = tf.memory().numTensors;
    const model = createRandomModel({ config: SIZES, seed: 4 });
    const untouched = weightHashes(model);
    const vector = (seed: number, size: number): Float64Array =>
      Float64Array.from(normals(seed, size));
    const [first, second] = EDITABLE as [WeightName, WeightName];
    const deltas: WeightDelta[][] = [
      [{ weight: first, left: vector(1, 12), right: vector(2, 8) }],
      [
        {
          weight: second,
          lefts: [vector(3, 12), vector(4, 12)],
          rights: [vector(5, 8), vector(6, 8)],
        },
        // A second delta of one weight: both act.
        { weight: second, left: vector(7, 12), right: vector(8, 8) },
      ],
    ];
    const tokens = [3, 1, 4, 1, 5];
    const logits = async (rows: readonly object[]): Promise<Float32Array[]> => {
      using result = model.forward(rows.map((row) => ({ tokens, ...row })));
      return await Promise.all(
        rows.map(async (_, i) => (await result.logits(i).data()) as Float32Array),
      );
    };
    const written = new EditSession(model);
    const states: Float32Array[] = [(await logits([{}]))[0]!];
    for (const list of deltas) {
      await written.apply(list);
      states.push((await logits([{}]))[0]!);
    }
    written.reset();

    const side = new EditSession(model, { mode: 'sidePath' });
    for (const [i, list] of deltas.entries()) await side.apply(list, `fact-${i}`);
    const rows = [{ tokens }, { tokens, adapter: 'fact-0' }, side.row({ tokens }), { tokens }];
    const [plain, one, both, again] = await logits(rows);
    expect(weightHashes(model)).toEqual(untouched);
    expect(plain).toEqual(states[0]);
    expect(again).toEqual(plain);
    for (const [beside, weights] of [
      [one!, states[1]!],
      [both!, states[2]!],
    ] as const) {
      const error = figure(25, 'logits, relative', relativeError(beside, weights));
      expect(error).toBeLessThan(1e-5);
    }
    const without = figure(
      25,
      'logits without the edit, relative',
      relativeError(one!, plain!),
      'control',
    );
    expect(without).toBeGreaterThan(1e-2);
    await side.without('fact-1', async () => {
      expect(side.row({ tokens })).toEqual({ tokens, adapter: ['fact-0'] });
    });
    await expect(
      side.apply([{ weight: EDITABLE[0]!, dense: new Float64Array(96), shape: [12, 8] }]),
    ).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    side.undo('fact-0');
    expect([...model.adapters.keys()]).toEqual(['fact-1']);
    side.reset();
    expect(model.adapters.size).toBe(0);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('EditSession.edit', () => {
  // The golden whose loss falls fastest.
  const { cases, layer } = goldenJson<{
    readonly layer: number;
    readonly cases: Readonly<
      Record<
        string,
        {
          readonly request: { readonly prompt: string; subject: string; readonly target: string };
          readonly rows: readonly { readonly ids: readonly number[]; readonly lookup: number }[];
        }
      >
    >;
  }>('gpt2', 'rome');
  const golden = cases['early-stop']!;
  const { prompt, subject, target } = golden.request;
  const request = { prompt, subject, targetNew: target };
  const method = { kind: 'rome', layer, steps: 12, keys: 'prompt' } as const;

  it('computes, applies, records and alarms; a loaded session has the same record and bits', async () => {
    const model = await loadGoldenModel('gpt2');
    const before = weightHashes(model);
    using session = new EditSession(model);
    const record = await session.edit(request, method, { driftTexts: ['a b c d e f'] });
    expect(record.requests[0]).toMatchObject({ subject, targetNew: ` ${target}` });
    expect(record.method).toMatchObject({ kind: 'rome', layer, steps: 12 });
    const { ids, lookup } = golden.rows[0]!;
    expect(record.tokens).toEqual([
      { index: lookup, id: ids[lookup], text: expect.stringContaining(subject) as string },
    ]);
    expect(record.targetProbability[0]!.after).toBeGreaterThan(record.targetProbability[0]!.before);
    expect(record.measures!.perplexityRatio).toBeGreaterThan(0);
    expect(record.weights[0]!.relativeNorm).toBeGreaterThan(0);
    const edited = weightHashes(model);
    const path = join(directory, 'fact.safetensors');
    await session.save(path);
    // 128 + 64 float64 numbers and the record.
    expect(statSync(path).size).toBeLessThan(6_000);
    session.reset();
    expect(weightHashes(model)).toEqual(before);
    using loaded = await EditSession.load(model, path);
    expect(weightHashes(model)).toEqual(edited);
    expect(loaded.records).toEqual([record]);
    // The same from memory, without a file: only onto the weights it was made for.
    const stored = loaded.stored(record.id);
    await expect(loaded.restore(stored)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    loaded.reset();
    expect(weightHashes(model)).toEqual(before);
    expect(await loaded.restore(stored)).toBe(record.id);
    expect(weightHashes(model)).toEqual(edited);
    expect(loaded.records).toEqual([record]);
    loaded.reset();
    using other = createRandomModel({ config: { ...SIZES, dMlp: 128, dModel: 64 }, seed: 1 });
    using elsewhere = new EditSession(other);
    await expect(elsewhere.restore(stored)).rejects.toMatchObject({ code: 'WRONG_MODEL' });
    expect(elsewhere.edits).toEqual([]);

    // Side path: a second edit sees the first although no weight carries it.
    using side = new EditSession(model, { mode: 'sidePath' });
    const first = await side.edit(request, method, { id: 'a' });
    const second = await side.edit(request, method, { id: 'b' });
    expect(second.targetProbability[0]!.before).toBeCloseTo(first.targetProbability[0]!.after, 4);
    expect(first.targetProbability[0]!.after).toBeCloseTo(record.targetProbability[0]!.after, 3);
    expect(weightHashes(model)).toEqual(before);
    side.reset();
    model.dispose();
  });

  it('refuses bad input before any work, and leaves no trace of a failure', async () => {
    const model = await loadGoldenModel('gpt2');
    const tensors = tf.memory().numTensors;
    const before = weightHashes(model);
    using session = new EditSession(model);
    const failures: readonly [() => Promise<unknown>, string][] = [
      [() => session.edit([], method), 'BAD_ARGUMENT'],
      [() => session.edit([request, request], method), 'BAD_ARGUMENT'],
      [() => session.edit({ ...request, prompt: 'a b' }, method), 'BAD_ARGUMENT'],
      [() => session.edit({ ...request, targetNew: ' ' }, method), 'BAD_ARGUMENT'],
      [() => session.edit({ ...request, targetNew: 'a\u{1f980}' }, method), 'BAD_TOKENIZER'],
      [() => session.edit(request, { ...method, layer: 40 }), 'BAD_ARGUMENT'],
      [() => session.edit(request, method, { signal: AbortSignal.abort() }), 'ABORTED'],
      [
        () =>
          session.apply([
            { weight: EDITABLE[0]!, left: new Float64Array(3), right: new Float64Array(3) },
          ]),
        'WRONG_MODEL',
      ],
      [() => EditSession.load(model, join(directory, 'nothing.safetensors')), 'NOT_FOUND'],
    ];
    for (const [attempt, code] of failures) await expect(attempt()).rejects.toMatchObject({ code });
    expect(() => session.undo('none')).toThrowError(expect.objectContaining({ code: 'NOT_FOUND' }));
    expect(weightHashes(model)).toEqual(before);
    expect(session.edits).toEqual([]);
    expect(tf.memory().numTensors).toBe(tensors);
    model.dispose();
  });

  it('refuses a session of another model and a file that holds none', async () => {
    const [model, other] = [1, 2].map((seed) => createRandomModel({ config: SIZES, seed }));
    const path = join(directory, 'other.safetensors');
    using session = new EditSession(model!);
    await session.apply(randomDeltas(3));
    await session.save(path);
    const before = weightHashes(other!);
    await expect(EditSession.load(other!, path)).rejects.toMatchObject({ code: 'WRONG_MODEL' });
    expect(weightHashes(other!)).toEqual(before);
    await writeSafetensors(path, []);
    await expect(EditSession.load(model!, path)).rejects.toMatchObject({ code: 'BAD_FILE' });
    session.reset();
    model!.dispose();
    other!.dispose();
  });
});
