import { useBackend } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { Matrix, solve } from 'ml-matrix';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import {
  columnsOf,
  cosine,
  type GoldenModelName,
  goldenJson,
  goldenTensors,
  loadGoldenModel,
  product,
  relativeError,
} from '../../test/golden-model.ts';
import type { LowRankDelta } from '../delta/weight-delta.ts';
import { readLookups } from '../lookup/read-lookups.ts';
import type { EditRequest } from '../request/edit-request.ts';
import { prepareEdit } from '../request/prepare-edit.ts';
import { rome } from '../rome/rome.ts';
import { nullSpace } from '../second-moment/null-space.ts';
import type { MeasuredMoment } from '../second-moment/second-moment.ts';
import { EditSession } from '../session/edit-session.ts';
import type { OptimisedValue } from '../value/optimise-value.ts';
import { alphaEdit } from './alpha-edit.ts';
import type { BatchEdit, BatchEditOptions } from './batch-options.ts';
import { emmet } from './emmet.ts';
import { memit } from './memit.ts';
import { pmet } from './pmet.ts';

interface BatchGolden {
  readonly templates: readonly string[];
  readonly requests: readonly {
    readonly prompt: string;
    readonly subject: string;
    readonly target: string;
  }[];
  readonly rows: readonly (readonly {
    readonly ids: readonly number[];
    readonly lookup: number;
  }[])[];
  readonly options: Readonly<Record<string, number>>;
  readonly layers: readonly number[];
  readonly lambda: number;
  readonly moment_scale: number;
  readonly damp: number;
  readonly l2: number;
  readonly nullspace_threshold: Readonly<Record<string, number>>;
  readonly nullspace_dimension: Readonly<Record<string, number>>;
  readonly values: readonly {
    readonly loss: readonly number[];
    /** PMET's: 1 where every target token was the likeliest. */
    readonly settled?: readonly number[];
  }[];
  readonly residual_norms: Readonly<Record<string, readonly number[]>>;
}

interface PmetGolden {
  readonly negative_controls: {
    readonly without_attention_relative: readonly number[];
    readonly without_adaptive_weight_relative: readonly number[];
  };
}

const TOLERANCE = 1e-4;

describe.each<GoldenModelName>(['gpt2', 'llama'])(
  'batched editors on tiny %s against float64 goldens',
  (name) => {
    let model: Transformer;
    const moments = new Map<number, MeasuredMoment>();
    // MEMIT, its square-root spread, EMMET and AlphaEdit's first batch share requests and value layer.
    let values: readonly OptimisedValue[];

    const shared = (golden: BatchGolden): BatchEditOptions => ({
      model,
      requests: golden.requests.map(
        ({ prompt, subject, target }): EditRequest => ({ prompt, subject, targetNew: target }),
      ),
      layers: golden.layers,
      contextTemplates: golden.templates,
      learningRate: golden.options['lr']!,
      steps: golden.options['steps']!,
      klFactor: golden.options['kl_factor']!,
      weightDecay: golden.options['decay']!,
      clampFactor: golden.options['clamp']!,
      stopLoss: golden.options['stop_loss']!,
      ...(values ? { values } : {}),
    });

    async function expectDelta(
      delta: LowRankDelta,
      read: (tensor: string) => Promise<Float64Array>,
      prefix: string,
      what: string,
    ): Promise<void> {
      const count = delta.lefts.length;
      const expected = product(
        columnsOf(await read(`${prefix}/left`), count),
        columnsOf(await read(`${prefix}/right`), count),
      );
      const ours = product(delta.lefts, delta.rights);
      const error = relativeError(ours, expected);
      expect(figure(17, `${what}, tiny ${name}, relative`, error), prefix).toBeLessThan(TOLERANCE);
      const apart = 1 - cosine(ours, expected);
      expect(figure(17, `${what}, tiny ${name}, 1 - cosine`, apart)).toBeLessThan(1e-5);
    }

    /** Values, deltas of every layer and what was left to write before it. */
    async function expectSpread(
      edit: BatchEdit,
      golden: BatchGolden,
      read: (tensor: string) => Promise<Float64Array>,
      what: string,
    ): Promise<void> {
      for (const [i, value] of edit.values.entries()) {
        expect(value.losses).toHaveLength(golden.values[i]!.loss.length);
        expect(relativeError(value.delta, await read(`value/${i}/delta`))).toBeLessThan(TOLERANCE);
        expect(relativeError(value.initial, await read(`value/${i}/initial`))).toBeLessThan(1e-5);
      }
      for (const [i, layer] of golden.layers.entries()) {
        await expectDelta(edit.deltas[i]!, read, `layer/${layer}`, what);
        expect(relativeError(edit.residualNorms[i]!, golden.residual_norms[layer]!)).toBeLessThan(
          TOLERANCE,
        );
      }
    }

    async function expectLogits(
      deltas: readonly (readonly LowRankDelta[])[],
      golden: BatchGolden,
      read: (tensor: string) => Promise<Float64Array>,
    ): Promise<void> {
      using session = new EditSession(model);
      for (const batch of deltas) await session.apply(batch);
      using result = model.forward(golden.rows.map((rows) => ({ tokens: rows[0]!.ids })));
      for (const i of golden.rows.keys()) {
        const logits = (await result.logits(i).data()) as Float32Array;
        expect(relativeError(logits, await read(`logits/${i}`))).toBeLessThan(TOLERANCE);
      }
    }

    beforeAll(async () => {
      await useBackend({ name: 'ort', threads: 1 });
      model = await loadGoldenModel(name);
      const read = goldenTensors(name, 'moments');
      for (const layer of [0, 1, 2]) {
        const entries = await read(`moment/${layer}`);
        const size = Math.sqrt(entries.length);
        moments.set(layer, { kind: 'measured', values: entries, size, tokens: 10 * size });
      }
    });
    afterAll(() => model.dispose());

    it('check 17: MEMIT: values, residuals and deltas of three layers; logits after all', async () => {
      const golden = goldenJson<BatchGolden>(name, 'memit');
      const read = goldenTensors(name, 'memit');
      const before = tf.memory().numTensors;
      const progress: string[] = [];
      const edit = await memit({
        ...shared(golden),
        lambda: golden.lambda,
        moments,
        onProgress: ({ phase, done, total }) => progress.push(`${phase} ${done}/${total}`),
      });
      expect(tf.memory().numTensors).toBe(before);
      expect(progress).toEqual([
        ...[1, 2, 3, 4].map((i) => `values ${i}/4`),
        ...[1, 2, 3].map((i) => `layers ${i}/3`),
      ]);
      values = edit.values;
      await expectSpread(edit, golden, read, 'MEMIT');
      await expectLogits([edit.deltas], golden, read);
    });

    it("MEMIT with PMET's spread", async () => {
      const golden = goldenJson<BatchGolden>(name, 'memit-sqrt');
      const read = goldenTensors(name, 'memit-sqrt');
      const edit = await memit({
        ...shared(golden),
        lambda: golden.lambda,
        moments,
        spread: 'squareRoot',
      });
      for (const [i, layer] of golden.layers.entries())
        await expectDelta(edit.deltas[i]!, read, `layer/${layer}`, "MEMIT, PMET's spread");
      await expectLogits([edit.deltas], golden, read);
    });

    it('PMET: shifts of attention and MLP found together, three layers; both controls fail', async () => {
      const golden = goldenJson<BatchGolden & PmetGolden>(name, 'pmet');
      const read = goldenTensors(name, 'pmet');
      const before = tf.memory().numTensors;
      const { values: _, ...options } = shared(golden);
      const edit = await pmet({
        ...options,
        lambda: golden.lambda,
        moments,
        nllFactor: golden.options['nll_factor']!,
        settledFactor: golden.options['settled_factor']!,
        settledKl: golden.options['settled_kl']!,
      });
      expect(tf.memory().numTensors).toBe(before);
      await expectSpread(edit, golden, read, 'PMET');
      for (const [i, value] of edit.values.entries()) {
        expect(relativeError(value.losses, golden.values[i]!.loss)).toBeLessThan(TOLERANCE);
      }
      await expectLogits([edit.deltas], golden, read);
      // Negative controls: the golden's search found the target, and its lower weight changed the value.
      const { without_attention_relative: alone, without_adaptive_weight_relative: steady } =
        golden.negative_controls;
      expect(golden.values.at(-1)!.settled!.includes(1)).toBe(true);
      expect(Math.min(...alone)).toBeGreaterThan(1e-2);
      expect(steady.at(-1)).toBeGreaterThan(1e-2);
      // MEMIT of the same requests is another edit.
      const other = await memit({ ...options, lambda: golden.lambda, moments });
      const [a, b] = [other, edit].map(({ deltas }) =>
        product(deltas[0]!.lefts, deltas[0]!.rights),
      );
      expect(relativeError(a!, b!)).toBeGreaterThan(1e-2);
      const ours = await pmet({ ...options, lambda: golden.lambda, moments, settledFactor: 1 });
      expect(relativeError(ours.values.at(-1)!.delta, edit.values.at(-1)!.delta)).toBeGreaterThan(
        1e-2,
      );
    });

    it('EMMET', async () => {
      const golden = goldenJson<BatchGolden>(name, 'emmet');
      const read = goldenTensors(name, 'emmet');
      const edit = await emmet({
        ...shared(golden),
        layer: golden.layers[0]!,
        moments,
        momentScale: golden.moment_scale,
        damp: golden.damp,
      });
      await expectDelta(edit.deltas[0]!, read, `layer/${golden.layers[0]}`, 'EMMET');
      await expectLogits([edit.deltas], golden, read);
    });

    it('check 21: AlphaEdit: the second batch is solved with the keys of the first', async () => {
      const golden = goldenJson<BatchGolden>(name, 'alphaedit');
      const read = goldenTensors(name, 'alphaedit');
      const nullSpaces = new Map(
        golden.layers.map((layer) => [
          layer,
          nullSpace(moments.get(layer)!, golden.nullspace_threshold[layer]!),
        ]),
      );
      for (const layer of golden.layers)
        expect(nullSpaces.get(layer)!.dimension).toBe(golden.nullspace_dimension[layer]);
      const { values: first, requests, ...options } = shared(golden);
      const one = await alphaEdit({
        ...options,
        requests: requests.slice(0, 2),
        values: first!.slice(0, 2),
        nullSpaces,
        l2: golden.l2,
      });
      using session = new EditSession(model);
      const id = await session.apply(one.deltas);
      const two = await alphaEdit({
        ...options,
        requests: requests.slice(2),
        nullSpaces,
        l2: golden.l2,
        pastKeys: one.pastKeys,
      });
      session.undo(id);
      for (const [b, batch] of [one, two].entries()) {
        for (const [i, layer] of golden.layers.entries()) {
          await expectDelta(batch.deltas[i]!, read, `batch/${b}/${layer}`, 'AlphaEdit');
          const past = batch.pastKeys.get(layer)!;
          const expected = columnsOf(await read(`batch/${b}/${layer}/past_keys`), past.length);
          for (const [e, key] of past.entries())
            expect(relativeError(key, expected[e]!)).toBeLessThan(TOLERANCE);
          // Preserved directions stay untouched.
          for (const left of batch.deltas[i]!.lefts) {
            const length = Math.hypot(...left);
            for (const direction of nullSpaces.get(layer)!.preserved) {
              const along = direction.reduce((sum, x, d) => sum + x * left[d]!, 0);
              const share = figure(21, 'part of dW along preserved keys', Math.abs(along) / length);
              expect(share).toBeLessThan(1e-9);
            }
          }
        }
      }
      await expectLogits([one.deltas, two.deltas], golden, read);
      // Negative control: without the first batch's keys the second is another one.
      const leaked = await alphaEdit({
        ...options,
        requests: requests.slice(2),
        values: two.values,
        nullSpaces,
        l2: golden.l2,
      });
      const [a, b] = [leaked, two].map(({ deltas }) =>
        product(deltas[0]!.lefts, deltas[0]!.rights),
      );
      const apart = figure(21, 'second batch without K_p', relativeError(a!, b!), 'control');
      expect(apart).toBeGreaterThan(1e-2);
    });

    it('check 19: MEMIT of one fact writes k C^-1 k / (lambda + k C^-1 k) of EMMET, whatever its scale', async () => {
      const golden = goldenJson<BatchGolden>(name, 'emmet');
      const { requests, ...options } = shared(golden);
      const one = { ...options, requests: requests.slice(0, 1), values: values.slice(0, 1) };
      const layer = golden.layers[0]!;
      const exact = await emmet({ ...one, layer, moments });
      const scaled = await emmet({ ...one, layer, moments, momentScale: 1000 });
      const full = product(exact.deltas[0]!.lefts, exact.deltas[0]!.rights);
      const scale = relativeError(product(scaled.deltas[0]!.lefts, scaled.deltas[0]!.rights), full);
      expect(figure(19, 'EMMET, C times 1000', scale)).toBeLessThan(1e-9);
      // k C^-1 k by another solver (LU) than ours (Cholesky).
      const { values: entries, size } = moments.get(layer)!;
      const [key] = exact.keys[0]!;
      const solved = solve(
        Matrix.from1DArray(size, size, entries),
        Matrix.columnVector(key!),
      ).to1DArray();
      const overlap = key!.reduce((sum, x, i) => sum + x * solved[i]!, 0);
      for (const lambda of [3, 1e-6]) {
        const part = await memit({ ...one, layers: [layer], lambda, moments });
        const fraction = overlap / (lambda + overlap);
        const error = relativeError(
          product(part.deltas[0]!.lefts, part.deltas[0]!.rights),
          full.map((x) => x * fraction),
        );
        expect(figure(19, 'fraction written, relative', error)).toBeLessThan(1e-6);
        // The control: with the published weight the fraction is no formality.
        if (lambda === 3) expect(1 - fraction).toBeGreaterThan(1e-2);
      }
    });

    it('check 19: with lambda towards 0 MEMIT of one fact is r-ROME, and so is EMMET', async () => {
      const golden = goldenJson<BatchGolden>(name, 'emmet');
      const { requests, ...options } = shared(golden);
      const layer = golden.layers[0]!;
      // One context, so that both average the same; no decay and no clamp, whose scale is the initial value's.
      const plain = { ...options, contextTemplates: ['{}'], weightDecay: 0, clampFactor: 1e6 };
      const { values: _, ...fresh } = { values: undefined, ...plain };
      const r = await rome({
        ...fresh,
        request: requests[0]!,
        layer,
        keys: 'averaged',
        moment: moments.get(layer)!,
      });
      const expected = product([r.delta.left], [r.delta.right]);
      // The same shift, on the block's output instead of the MLP's.
      const point = `blocks.${layer}.hook_resid_post` as const;
      const { contexts } = prepareEdit({
        ...{ model, request: requests[0]!, factToken: 'subjectLast', contextTemplates: ['{}'] },
      });
      const [[initial]] = await readLookups({ model, rows: contexts, points: [point] });
      const { delta, losses } = r.value;
      const value = {
        initial: initial!,
        delta,
        value: delta.map((x, i) => x + initial![i]!),
        losses,
      };
      const one = { ...fresh, requests: requests.slice(0, 1), values: [value] };
      for (const edit of [
        await memit({ ...one, layers: [layer], lambda: 1e-6, moments }),
        await emmet({ ...one, layer, moments }),
      ]) {
        const ours = product(edit.deltas[0]!.lefts, edit.deltas[0]!.rights);
        const error = figure(19, 'MEMIT and EMMET against r-ROME', relativeError(ours, expected));
        expect(error).toBeLessThan(1e-6);
      }
      const heavy = await memit({ ...one, layers: [layer], lambda: 20, moments });
      const ours = product(heavy.deltas[0]!.lefts, heavy.deltas[0]!.rights);
      expect(relativeError(ours, expected)).toBeGreaterThan(1e-2);
    });
  },
);

describe('bad input of batched editors', () => {
  let model: Transformer;
  beforeAll(async () => {
    await useBackend({ name: 'cpu' });
    model = await loadGoldenModel('gpt2');
  });
  afterAll(() => model.dispose());
  const request = { prompt: 'B G {} p', subject: "N '", targetNew: ',' };
  const identity = new Map([[1, { kind: 'identity' as const }]]);
  const good = { requests: [request], layers: [1], lambda: 1, moments: identity };

  it('edits at the last prompt token when asked, which is another edit than at the subject', async () => {
    const rise = async (factToken: 'last' | 'subjectLast'): Promise<number> => {
      const edit = await memit({ model, ...good, factToken, steps: 10, learningRate: 0.5 });
      const { losses } = edit.values[0]!;
      expect(edit.keys[0]![0]!.some((x) => x !== 0)).toBe(true);
      return losses[0]! - losses.at(-1)!;
    };
    const [last, subject] = [await rise('last'), await rise('subjectLast')];
    expect(last).toBeGreaterThan(0);
    expect(last).not.toBeCloseTo(subject, 3);
  });

  it.each([
    ['no requests', { requests: [] }, 'BAD_ARGUMENT', /no requests/],
    ['no layers', { layers: [] }, 'BAD_ARGUMENT', /no layers/],
    ['layers out of order', { layers: [1, 1] }, 'BAD_ARGUMENT', /ascend/],
    ['a layer that is not there', { layers: [9] }, 'NOT_FOUND', /second moment for layer 9/],
    ['a missing moment', { layers: [0, 1] }, 'NOT_FOUND', /second moment for layer 0/],
    ['lambda 0', { lambda: 0 }, 'BAD_ARGUMENT', /lambda is 0/],
    ['negative steps', { steps: -1 }, 'BAD_ARGUMENT', /steps is -1/],
    ['templates without {}', { contextTemplates: ['x'] }, 'BAD_ARGUMENT', /one \{\}/],
    ['too few values', { values: [] }, 'BAD_ARGUMENT', /0 values for 1/],
  ])('%s', async (_, change, code, message) => {
    const before = tf.memory().numTensors;
    await expect(memit({ model, ...good, ...change })).rejects.toThrowError(
      expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
    );
    expect(tf.memory().numTensors).toBe(before);
  });
});
