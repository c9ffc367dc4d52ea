import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { useBackend } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { EigenvalueDecomposition } from 'ml-matrix';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import {
  type GoldenModelName,
  goldenJson,
  goldenTensors,
  loadGoldenModel,
  relativeError,
} from '../../test/golden-model.ts';
import { collectMoments, type MomentProgress } from './collect-moments.ts';
import { readMoments, writeMoments } from './moment-file.ts';
import { readMomentNpz } from './read-moment-npz.ts';
import { type MeasuredMoment, momentMatrix, solveMoment } from './second-moment.ts';

const directory = mkdtempSync(join(tmpdir(), 'safeinfer-moments-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.each<GoldenModelName>(['gpt2', 'llama'])('collectMoments on tiny %s', (name) => {
  let model: Transformer;
  const { corpus_ids: texts, tokens } = goldenJson<{
    readonly corpus_ids: readonly (readonly number[])[];
    readonly tokens: number;
  }>(name, 'moments');
  beforeAll(async () => {
    await useBackend({ name: 'ort', threads: 1 });
    model = await loadGoldenModel(name);
  });
  afterAll(() => model.dispose());

  it('check 3: equals the float64 moments of every token, streamed in batches', async () => {
    const before = tf.memory().numTensors;
    const seen: MomentProgress[] = [];
    const moments = await collectMoments({
      model,
      layers: [0, 1, 2],
      texts,
      batchTokens: 200,
      onProgress: (progress) => seen.push(progress),
    });
    expect(tf.memory().numTensors).toBe(before);
    expect(seen.length).toBeGreaterThan(4);
    expect(seen.at(-1)).toMatchObject({ tokens, texts: texts.length });
    const read = goldenTensors(name, 'moments');
    for (const [layer, { values, size, tokens: counted }] of moments) {
      expect(counted).toBe(tokens);
      const error = relativeError(values, await read(`moment/${layer}`));
      expect(figure(3, 'streamed against one-shot float64, relative', error)).toBeLessThan(1e-6);
      // Symmetric, and no eigenvalue below 0 by more than rounding.
      const { realEigenvalues } = new EigenvalueDecomposition(momentMatrix(moments.get(layer)!));
      const [least, largest] = [Math.min(...realEigenvalues), Math.max(...realEigenvalues)];
      expect(
        figure(3, 'negative part of the least eigenvalue, relative', Math.max(0, -least / largest)),
      ).toBeLessThan(1e-6);
      for (let i = 0; i < size; i += 1)
        for (let j = 0; j < i; j += 1)
          expect(Math.abs(values[i * size + j]! - values[j * size + i]!)).toBeLessThan(1e-6);
    }
  });

  it('check 3: rows of different lengths count their own tokens only; padding would be seen', async () => {
    const rows = [texts[0]!.slice(0, 12), texts[1]!.slice(0, 3), texts[2]!.slice(0, 7)];
    const of = async (some: readonly (readonly number[])[]): Promise<MeasuredMoment> =>
      (await collectMoments({ model, layers: [1], texts: some, batchTokens: 1000 })).get(1)!;
    const together = await of(rows);
    const alone = await Promise.all(rows.map((row) => of([row])));
    const sum = together.values.map((_, i) =>
      alone.reduce((total, { values, tokens: n }) => total + values[i]! * n, 0),
    );
    expect(together.tokens).toBe(22);
    const error = relativeError(
      together.values,
      sum.map((x) => x / 22),
    );
    expect(figure(3, 'ragged rows against each alone, relative', error)).toBeLessThan(1e-6);
    // The control: padded to one length with id 0 it is another matrix.
    const padded = rows.map((row) => [...row, ...new Array<number>(12 - row.length).fill(0)]);
    const away = relativeError((await of(padded)).values, together.values);
    expect(figure(3, 'padding counted, relative', away, 'control')).toBeGreaterThan(1e-2);
  });

  it('goes on after an abort as if nothing had happened, and never twice over a text', async () => {
    const path = join(directory, `${name}.safetensors`);
    const shared = { model, layers: [1], batchTokens: 100, maxLength: 20 };
    const controller = new AbortController();
    const tensors = tf.memory().numTensors;
    const aborted = collectMoments({
      ...shared,
      texts,
      checkpoint: { path },
      signal: controller.signal,
      onProgress: ({ tokens: done }) => {
        if (done > 400) controller.abort();
      },
    });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    expect(tf.memory().numTensors).toBe(tensors);
    const part = await readMoments(path);
    expect(part.get(1)!.tokens).toBeGreaterThan(400);
    expect(part.get(1)!.tokens).toBeLessThan(900);
    const resumed = await collectMoments({ ...shared, texts, checkpoint: { path } });
    const whole = await collectMoments({ ...shared, texts });
    expect(resumed.get(1)!.tokens).toBe(whole.get(1)!.tokens);
    expect(relativeError(resumed.get(1)!.values, whole.get(1)!.values)).toBeLessThan(1e-6);
    expect((await readMoments(path)).get(1)!.values).toEqual(resumed.get(1)!.values);
    await expect(
      collectMoments({ ...shared, layers: [2], texts, checkpoint: { path } }),
    ).rejects.toMatchObject({ code: 'WRONG_MODEL' });
  });

  it('never goes on from sums of other texts, another model or another length', async () => {
    const path = join(directory, `${name}-source.safetensors`);
    const shared = { model, layers: [1], batchTokens: 100, maxLength: 20, maxTokens: 300 };
    const checkpoint = { path, model: 'a' };
    const first = await collectMoments({ ...shared, texts, checkpoint });
    const again = await collectMoments({ ...shared, texts, checkpoint });
    expect(again.get(1)!.values).toEqual(first.get(1)!.values);
    for (const other of [
      { texts: [...texts].reverse() },
      { texts: texts.slice(0, 2) },
      { checkpoint: { path, model: 'b' } },
      { maxLength: 19 },
    ]) {
      await expect(
        collectMoments({ ...shared, texts, checkpoint, ...other }),
      ).rejects.toMatchObject({ code: 'BAD_DATASET' });
    }
    expect((await readMoments(path)).get(1)!.values).toEqual(first.get(1)!.values);
    await writeMoments(path, first);
    await expect(collectMoments({ ...shared, texts, checkpoint })).rejects.toMatchObject({
      code: 'BAD_DATASET',
    });
  });

  it('stops at maxTokens and refuses an empty corpus', async () => {
    const some = await collectMoments({
      model,
      layers: [0],
      texts,
      maxTokens: 50,
      batchTokens: 16,
    });
    expect(some.get(0)!.tokens).toBe(50);
    await expect(collectMoments({ model, layers: [0], texts: [] })).rejects.toMatchObject({
      code: 'BAD_DATASET',
    });
    await expect(collectMoments({ model, layers: [7], texts })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
  });
});

describe('readMomentNpz', () => {
  const file = (name: string): Buffer =>
    readFileSync(fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url)));
  const expected = JSON.parse(file('moment-reference.json').toString()) as {
    readonly mean: readonly number[];
    readonly count: number;
  };

  // Written by numpy with the arrays of the reference's statistics files; one stored, one deflated and column-major.
  it.each(['moment-reference.npz', 'moment-compressed.npz'])('check 3: reads %s', async (name) => {
    const moment = readMomentNpz(file(name));
    expect(moment.size).toBe(6);
    expect(moment.tokens).toBe(expected.count);
    const error = relativeError(moment.values, expected.mean);
    expect(figure(3, '.npz of numpy, relative', error)).toBeLessThan(1e-7);
    const path = join(directory, 'converted.safetensors');
    await writeMoments(path, new Map([[3, moment]]));
    const again = (await readMoments(path)).get(3)!;
    expect(relativeError(again.values, moment.values)).toBeLessThan(1e-15);
    expect(again.tokens).toBe(20);
  });

  it('says what is wrong with other files', () => {
    const whole = file('moment-reference.npz');
    for (const bytes of [whole.subarray(0, 200), Buffer.from('not a zip at all')])
      expect(() => readMomentNpz(bytes)).toThrowError(
        expect.objectContaining({ code: 'BAD_FILE' }),
      );
  });
});

describe('solveMoment', () => {
  const moment = (values: number[], tokens = 9): MeasuredMoment => ({
    kind: 'measured',
    values: Float64Array.from(values),
    size: 2,
    tokens,
  });

  it('solves in float64', () => {
    const solved = solveMoment(moment([4, 2, 2, 3]), Float64Array.of(8, 8));
    expect(relativeError(solved, [1, 2])).toBeLessThan(1e-15);
  });

  it('names the remedy for a singular matrix, a wrong size and damaged numbers', () => {
    expect(() => solveMoment(moment([1, 1, 1, 1], 1), Float64Array.of(1, 2))).toThrowError(
      expect.objectContaining({
        code: 'SINGULAR',
        hint: expect.stringContaining('more than 2 tokens') as string,
      }),
    );
    expect(() => solveMoment(moment([4, 2, 2, 3]), Float64Array.of(1, 2, 3))).toThrowError(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
    expect(() => solveMoment(moment([4, Number.NaN, 2, 3]), Float64Array.of(1, 2))).toThrowError(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });
});
