import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { useBackend } from '@safeinfer/backend';
import { createRandomModel } from '@safeinfer/transformer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomVector } from '../../test/random-vector.ts';
import type { DirectionSet } from '../extract/contrast-vector.ts';
import { modelFingerprint, planHash } from '../plan/fingerprint.ts';
import type { SteeringPlan } from '../plan/steering-plan.ts';
import { loadDirections, saveDirections } from './direction-file.ts';
import { parseGguf, writeGguf } from './gguf.ts';
import { parseNpy, parseNpz, writeNpy } from './npz.ts';
import { loadPlan, savePlan } from './plan-file.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(fixture(name)));
/** What the Python side wrote. */
const expected = (layer: number): number[] =>
  Array.from({ length: 6 }, (_, i) => Math.fround((i - 2.5) * ((layer + 1) / 4)));
const shared = join(
  process.env['SAFEINFER_SHARED'] ??
    fileURLToPath(new URL('../../../../../shared', import.meta.url)),
  'models/reference-vectors',
);

let folder: string;
beforeAll(async () => {
  await useBackend({ name: 'cpu' });
  folder = mkdtempSync(join(tmpdir(), 'steering-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('GGUF control vectors', () => {
  it('written by the llama.cpp package are read to the bit', () => {
    const { directions, modelHint } = parseGguf(bytes('control-vector.gguf'), { strict: true });
    expect(modelHint).toBe('llama');
    expect([...directions.keys()]).toEqual([1, 2, 3]);
    for (const layer of [1, 2, 3]) expect([...directions.get(layer)!]).toEqual(expected(layer));
  });

  it('are written as that package writes them, byte for byte', () => {
    const { directions, modelHint } = parseGguf(bytes('control-vector.gguf'));
    expect(Buffer.compare(writeGguf({ directions, modelHint }), bytes('control-vector.gguf'))).toBe(
      0,
    );
  });

  it('refuse what llama.cpp refuses, and damage', () => {
    const zero = writeGguf({ directions: new Map([[0, randomVector(1, 4)]]), modelHint: 'x' });
    expect(() => parseGguf(zero, { strict: true })).toThrow(/direction\.0/);
    expect(parseGguf(zero).directions.has(0)).toBe(true);
    const whole = bytes('control-vector.gguf');
    for (const end of [3, 30, 90, 200, whole.length - 40]) {
      expect(() => parseGguf(whole.slice(0, end))).toThrow();
    }
    const hostile = whole.slice();
    hostile.fill(255, 8, 24);
    expect(() => parseGguf(hostile)).toThrow(/tensors/);
    expect(() => parseGguf(new Uint8Array(64))).toThrow(/GGUF/);
  });
});

describe('NumPy arrays', () => {
  it.each(['vectors.npz', 'vectors-compressed.npz'])('of %s are read to the bit', (name) => {
    const arrays = parseNpz(bytes(name));
    for (const layer of [1, 2, 3])
      expect([...arrays.get(`layer_${layer}`)!.data]).toEqual(expected(layer));
  });

  it('of other types and orders are read too', () => {
    const arrays = parseNpz(bytes('unusual.npz'));
    expect([...arrays.get('f64')!.data]).toEqual([0, 0.5, 1]);
    expect([...arrays.get('f16')!.data]).toEqual([1, -2.5]);
    expect(arrays.get('fortran')).toEqual({
      shape: [2, 3],
      data: Float32Array.from([0, 1, 2, 3, 4, 5]),
    });
    expect([...arrays.get('big')!.data]).toEqual([0, 1, 2]);
  });

  it('are written as NumPy writes them, byte for byte', () => {
    const array = parseNpy(bytes('vector.npy'));
    expect(Buffer.compare(writeNpy(array), bytes('vector.npy'))).toBe(0);
  });

  it('that are cut off or pickled are refused', () => {
    expect(() => parseNpy(bytes('vector.npy').slice(0, 140))).toThrow(/cut off|early/);
    expect(() => parseNpz(new Uint8Array(10))).toThrow(/npz/);
    const pickled = writeNpy({ shape: [1], data: new Float32Array(1) });
    pickled.set(new TextEncoder().encode('|O '), pickled.indexOf(0x3c));
    expect(() => parseNpy(pickled)).toThrow(/cannot be read/);
  });
});

describe('directions in files', () => {
  const sizes = { nLayers: 4, nHeads: 2, dModel: 6, dHead: 4, vocabSize: 32 };
  const set = (model?: string): DirectionSet => ({
    directions: new Map([1, 2, 3].map((layer) => [layer, randomVector(layer, 6)])),
    point: 'hook_resid_post',
    ...(model ? { model } : {}),
    recipe: { method: 'mean-difference', version: 1, seed: 4, settings: { read: -1 } },
  });

  it.each(['safetensors', 'gguf', 'npz'])('come back exactly from %s', async (ending) => {
    const path = join(folder, `round.${ending}`);
    const given = set('abc');
    await saveDirections(path, given);
    const back = await loadDirections(path);
    expect(back.directions).toEqual(given.directions);
    expect(back.point).toBe('hook_resid_post');
    if (ending === 'safetensors') expect(back).toEqual(given);
  });

  it('of another model throw unless forced; of another width always', async () => {
    using model = createRandomModel({ config: sizes, seed: 1 });
    using other = createRandomModel({ config: sizes, seed: 2 });
    using wide = createRandomModel({ config: { ...sizes, dModel: 8 }, seed: 1 });
    using shallow = createRandomModel({ config: { ...sizes, nLayers: 3 }, seed: 1 });
    const path = join(folder, 'model.safetensors');
    await saveDirections(path, set(await modelFingerprint(model)));
    expect((await loadDirections(path, { model })).directions.size).toBe(3);
    const wrong = { code: 'WRONG_MODEL' };
    await expect(loadDirections(path, { model: other })).rejects.toMatchObject(wrong);
    expect((await loadDirections(path, { model: other, force: true })).directions.size).toBe(3);
    for (const misfit of [wide, shallow]) {
      await expect(loadDirections(path, { model: misfit, force: true })).rejects.toMatchObject(
        wrong,
      );
    }
  });

  it('that GGUF cannot hold are refused, and block inputs shift by one', async () => {
    const path = join(folder, 'x.gguf');
    const first = { ...set(), directions: new Map([[0, randomVector(1, 6)]]) };
    await expect(saveDirections(path, first)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await saveDirections(path, {
      ...set(),
      point: 'hook_resid_pre',
      directions: new Map([[2, randomVector(1, 6)]]),
    });
    expect([...(await loadDirections(path)).directions.keys()]).toEqual([1]);
    await expect(loadDirections(join(folder, 'x.pt'))).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await expect(loadDirections(fixture('vector.npy'))).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    expect([
      ...(await loadDirections(fixture('vector.npy'), { layer: 1 })).directions.get(1)!,
    ]).toEqual(expected(1));
  });
});

describe('plans in files', () => {
  const vector = randomVector(9, 6);
  const plan: SteeringPlan = {
    operations: [
      { op: 'add', layer: 1, vector, strength: 0.3, positions: { from: -1 } },
      {
        op: 'rotate',
        layer: 2,
        vector,
        second: randomVector(10, 6),
        degrees: 30,
        mode: 'offset',
        condition: { score: 'cosine', vector, layer: 0, fire: 'above', threshold: 0.1 },
      },
      { op: 'conceptor', layer: 0, matrix: randomVector(11, 36), beta: 1 },
    ],
    rows: [{ row: 1, operation: 0, vector: randomVector(12, 6) }],
    recipe: { method: 'test', version: 1 },
  };

  it('come back exactly', async () => {
    const path = join(folder, 'plan.safetensors');
    await savePlan(path, plan);
    const back = await loadPlan(path);
    expect(back).toEqual(plan);
    expect(planHash(back)).toBe(planHash(plan));
    expect(planHash({ ...plan, recipe: { method: 'test', version: 2 } })).not.toBe(planHash(plan));
  });

  it('of another model throw unless forced', async () => {
    const sizes = { nLayers: 4, nHeads: 2, dModel: 6, dHead: 4, vocabSize: 32 };
    using model = createRandomModel({ config: sizes, seed: 1 });
    using other = createRandomModel({ config: sizes, seed: 2 });
    const path = join(folder, 'made.safetensors');
    await savePlan(path, { ...plan, model: await modelFingerprint(model) });
    expect((await loadPlan(path, { model })).operations).toHaveLength(3);
    await expect(loadPlan(path, { model: other })).rejects.toMatchObject({ code: 'WRONG_MODEL' });
    expect((await loadPlan(path, { model: other, force: true })).operations).toHaveLength(3);
  });
});

describe.runIf(existsSync(shared))('published vectors', () => {
  it.each([
    ['refusal_direction/gemma-2b-it/gemma-2b-it.refusal.safetensors', 10, 10.0644],
    ['refusal_direction/qwen-1_8b-chat/qwen-1_8b-chat.refusal.safetensors', 15, 26.2873],
  ])('%s loads with its layer and norm', async (name, layer, length) => {
    const set = await loadDirections(join(shared, name));
    expect([...set.directions.keys()]).toEqual([layer]);
    expect(set.point).toBe('hook_resid_pre');
    expect(Math.hypot(...set.directions.get(layer)!)).toBeCloseTo(length, 3);
  });

  it('half-precision safetensors of one unnamed layer', async () => {
    const path = join(shared, 'wisent-qwen2.5-coder-7b-caa/steering_vector.safetensors');
    await expect(loadDirections(path)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    const set = await loadDirections(path, { layer: 12 });
    expect(set.directions.get(12)).toHaveLength(3584);
  });

  it.each(['real1-caa', 'reflection_avg_vector'])('%s.gguf: 28 directions', async (name) => {
    const path = join(shared, 'easysteer-gguf', `${name}.gguf`);
    const set = await loadDirections(path);
    expect(set.directions.size).toBe(28);
    expect(set.directions.get(27)).toHaveLength(1536);
    // llama.cpp itself refuses these: they hold direction.0.
    await expect(loadDirections(path, { strict: true })).rejects.toMatchObject({
      code: 'BAD_FILE',
    });
  });
});
