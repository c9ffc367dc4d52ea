import { fileURLToPath } from 'node:url';
import { useBackend } from '@safeinfer/backend';
import { openSafetensors, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import { type GoldenModelName, goldenJson, loadGoldenModel } from '../../test/golden-model.ts';
import { averageEffects, suggestLayer } from './average-effects.ts';
import { type CausalTrace, causalTrace, embeddingNoise, traceWindow } from './causal-trace.ts';
import { RandomState } from './random-state.ts';
import { subjectSpan } from './subject-span.ts';
import { averageEffectsPlot, effectLinesPlot, severedPlot, tracePlot } from './trace-plots.ts';

type Table = readonly (readonly number[])[];

interface TraceGolden {
  readonly prompt_ids: readonly number[];
  readonly subject_span: readonly [number, number];
  readonly samples: number;
  readonly noise_subjects: readonly (readonly number[])[];
  readonly sigma: number;
  readonly answer: number;
  readonly high_score: number;
  readonly low_score: number;
  readonly state: Table;
  readonly mlp: Readonly<Record<string, Table>>;
  readonly attn: Readonly<Record<string, Table>>;
  readonly state_mlp_severed: Table;
}

describe('RandomState', () => {
  const path = fileURLToPath(new URL('../../fixtures/random-state.safetensors', import.meta.url));
  const SEEDS = [
    [1, 5000],
    [20240607, 64],
  ] as const;

  it("check 28: MT19937 gives numpy's uniform draws, bit for bit", async () => {
    await using file = await openSafetensors(path);
    for (const [seed, count] of SEEDS) {
      const expected = await file.readFloat64(`uniform/${seed}`);
      const state = new RandomState(seed);
      const drawn = Float64Array.from({ length: count }, () => state.randomSample());
      expect(drawn).toEqual(expected);
    }
  });

  it("check 28: the polar Gaussians are numpy's, bit for bit but where its C library rounds a logarithm wrongly", async () => {
    await using file = await openSafetensors(path);
    let away = 0;
    for (const [seed, count] of SEEDS) {
      const drawn = new RandomState(seed).randn(count);
      // The same method on numpy's uniform draws with a logarithm of 200 bits rounded once (mpmath): equal, all 5,064.
      expect(drawn).toEqual(await file.readFloat64(`exact/${seed}`));
      // numpy itself: one logarithm (two draws, 2176 and 2177 of seed 1) is off by the last bit.
      const numpy = await file.readFloat64(`seed/${seed}`);
      const differing = [...drawn.keys()].filter((i) => drawn[i] !== numpy[i]);
      away += differing.length;
      for (const i of differing) expect(Math.abs(drawn[i]! / numpy[i]! - 1)).toBeLessThan(3e-16);
    }
    expect(figure(28, "draws that differ from numpy's by one bit, of 5,064", away)).toBe(2);
    // The control: the next seed is another stream.
    expect(new RandomState(2).randn(4)).not.toEqual(new RandomState(1).randn(4));
  });
});

it('check 29: windows of even and odd width at both borders', () => {
  expect([0, 1, 3].map((layer) => traceWindow(layer, 2, 4))).toEqual([[0], [0, 1], [2, 3]]);
  expect([0, 1, 3].map((layer) => traceWindow(layer, 3, 4))).toEqual([
    [0, 1],
    [0, 1, 2],
    [2, 3],
  ]);
  expect(traceWindow(1, 10, 4)).toEqual([0, 1, 2, 3]);
});

describe.each<GoldenModelName>(['gpt2', 'llama'])('causal tracing of tiny %s', (name) => {
  const golden = goldenJson<TraceGolden>(name, 'trace');
  const made: CausalTrace[] = [];
  let model: Transformer;
  beforeAll(async () => {
    await useBackend({ name: 'ort', threads: 1 });
    model = await loadGoldenModel(name);
  });
  afterAll(() => model.dispose());

  const shared = () => ({
    model,
    prompt: golden.prompt_ids,
    subject: golden.subject_span,
    sigma: golden.sigma,
    samples: golden.samples,
  });

  it.each([
    ['states', {}, golden.state],
    ['MLPs, window 2', { kind: 'mlp', window: 2 }, golden.mlp['2']!],
    ['MLPs, window 3', { kind: 'mlp', window: 3 }, golden.mlp['3']!],
    ['attention, window 3', { kind: 'attn', window: 3 }, golden.attn['3']!],
    ['states, MLPs severed', { sever: 'mlp' }, golden.state_mlp_severed],
  ] as const)('check 27: %s equal the float64 table', async (_, options, table) => {
    const before = tf.memory().numTensors;
    const trace = await causalTrace({ ...shared(), ...options });
    expect(tf.memory().numTensors).toBe(before);
    expect(trace.answer.id).toBe(golden.answer);
    expect(Math.abs(trace.highScore - golden.high_score)).toBeLessThan(1e-6);
    expect(Math.abs(trace.lowScore - golden.low_score)).toBeLessThan(1e-6);
    for (const [token, row] of table.entries())
      for (const [layer, score] of row.entries())
        expect(
          figure(27, 'worst cell, absolute', Math.abs(trace.scores[token]![layer]! - score)),
        ).toBeLessThan(1e-6);
    made.push(trace);
  });

  it('check 28: ends at the clean score: last token, last layer', () => {
    const [state] = made;
    const away = Math.abs(state!.scores.at(-1)!.at(-1)! - state!.highScore);
    expect(figure(28, 'last cell against the clean score, absolute', away)).toBeLessThan(1e-6);
    // The control: a cell further up does not.
    const above = Math.abs(state!.scores.at(-1)![0]! - state!.highScore);
    expect(figure(28, 'first layer of the last token, absolute', above, 'control')).toBeGreaterThan(
      1e-5,
    );
  });

  it("takes the reference's sigma, and another seed is another table", async () => {
    const { noise_subjects: subjects, sigma } = golden;
    expect((await embeddingNoise({ model, subjects })) / sigma).toBeCloseTo(1, 5);
    const other = await causalTrace({ ...shared(), seed: 2, samples: 2 });
    expect(Math.abs(other.lowScore - golden.low_score)).toBeGreaterThan(1e-4);
  });

  it('averages by role, suggests a layer and draws four pictures', () => {
    const [state, mlp] = made as [CausalTrace, CausalTrace];
    const half = { ...mlp, scores: mlp.scores.map((row) => row.map((x) => x / 2)) };
    const effects = averageEffects([mlp, half]);
    const [, end] = mlp.span;
    for (const [layer, score] of mlp.scores[end - 1]!.entries()) {
      const values = [score - mlp.lowScore, score / 2 - mlp.lowScore];
      const centre = (values[0]! + values[1]!) / 2;
      expect(effects.effects[2]![layer]).toBeCloseTo(centre, 12);
      // Two values: standard deviation |a - b| / sqrt 2, standard error |a - b| / 2.
      const width = (1.96 * Math.abs(values[0]! - values[1]!)) / 2;
      expect(effects.halfWidths[2]![layer]).toBeCloseTo(width, 12);
    }
    expect(effects.totalEffect).toBeCloseTo(mlp.highScore - mlp.lowScore, 12);
    const row = effects.effects[2]!;
    expect(row[suggestLayer(effects)]).toBe(Math.max(...row));
    expect(() => averageEffects([state, mlp])).toThrowError(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
    const hostile = { ...state, tokens: state.tokens.map((t) => ({ ...t, text: '<&"\u0000' })) };
    const states = averageEffects([state]);
    for (const picture of [
      tracePlot(hostile),
      averageEffectsPlot(effects, { kind: 'mlp', window: 2 }),
      effectLinesPlot(effects, 'mlp'),
      severedPlot({ state: states, mlp: averageEffects([made.at(-1)!]), attn: undefined }),
    ]) {
      expect(picture.startsWith('<svg') && picture.endsWith('</svg>\n')).toBe(true);
      expect(picture).not.toMatch(/NaN|undefined|\p{Cs}|>[^<]*"</u);
      expect(picture.includes('\u0000')).toBe(false);
      expect(picture.match(/<(rect|polyline)/g)!.length).toBeGreaterThan(4);
    }
    // A cell for each token and layer.
    expect(tracePlot(state).match(/<title>/g)).toHaveLength(state.tokens.length * 4);
  });

  it('refuses bad input', async () => {
    for (const change of [
      { sigma: 0 },
      { samples: 0 },
      { seed: -1 },
      { subject: [3, 3] as const },
      { subject: [0, 99] as const },
      { subject: 'not there' },
      { kind: 'mlp' as const, sever: 'mlp' as const },
    ]) {
      await expect(causalTrace({ ...shared(), ...change })).rejects.toMatchObject({
        code: 'BAD_ARGUMENT',
      });
    }
    const aborted = causalTrace({ ...shared(), signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    for (const seed of [-1, 1.5, 2 ** 32, Number.NaN]) {
      expect(() => new RandomState(seed)).toThrow(
        expect.objectContaining({ code: 'BAD_ARGUMENT' }),
      );
    }
  });

  it('frees everything when it is aborted between passes', async () => {
    const tensors = tf.memory().numTensors;
    const controller = new AbortController();
    const aborted = causalTrace({
      ...shared(),
      ...{ sever: 'mlp', samples: 2, rowsPerPass: 4, signal: controller.signal },
      onProgress: ({ done }) => {
        if (done > 3) controller.abort();
      },
    });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

it('finds the subject in tokens that are parts of characters', () => {
  // Two bytes of an accent as two tokens, as byte-level tokenizers have them.
  const pieces = ['The', ' Caf', '\ufffd', '\u00e9', ' opens'];
  const decode = (ids: readonly number[]): string => {
    const texts = ids.map((id) => pieces[id]!);
    // The half character is replaced by the whole one when its second half follows.
    return texts.filter((text, i) => !(text === '\ufffd' && texts[i + 1] === '\u00e9')).join('');
  };
  const model = { tokenizer: { decode } } as unknown as Transformer;
  expect(subjectSpan(model, [0, 1, 2, 3, 4], 'Caf\u00e9')).toEqual([1, 4]);
});
