// Sweeps equal one full run per patch; attribution is their derivative; path patching equals algebra by hand.
import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { fixtureModel, readFixture } from '../../test/parity/fixture.ts';
import type { DataIntervention } from '../hooks/intervention.ts';
import type { Transformer } from '../model/transformer.ts';
import { attributionPatching } from './attribution-patching.ts';
import { finalNorm, unembedded } from './final-norm.ts';
import { logitDifference, logProbability } from './metric.ts';
import { type PatchSite, siteName } from './patch-site.ts';
import { patchingSweep, type SweepOptions } from './patching-sweep.ts';
import { pathPatching } from './path-patching.ts';

/** Learned positions, parallel blocks, grouped heads, sandwich norms with windows. */
const names = ['gpt2', 'gpt-neox', 'llama3', 'gemma2'] as const;
const fixtures = new Map(
  await Promise.all(names.map(async (name) => [name, await readFixture(name)] as const)),
);
const clean = [5, 17, 42, 8, 33, 60, 2, 71, 14, 90];
const corrupted = [5, 17, 39, 8, 33, 12, 2, 71, 14, 90];
const metric = logitDifference(11, 80);

beforeAll(() => useBackend({ name: 'cpu' }));
// Brute force takes seconds alone; the limit is for a machine that runs everything at once.
vi.setConfig({ testTimeout: 180_000 });

function modelOf(name: (typeof names)[number]): Transformer {
  return fixtureModel(fixtures.get(name) ?? expect.fail(name));
}

/** One patch, one full forward from layer 0, values gathered by hand. */
function bruteForce(
  model: Transformer,
  site: PatchSite,
  at: { readonly layer: number; readonly position?: number; readonly head?: number },
): number {
  const name = siteName(site, at.layer);
  using source = model.forward([{ tokens: clean }], { capture: [name], logits: 'none' });
  const whole = source.captured(0, name);
  const byToken = site === 'pattern' ? tf.transpose(whole, [1, 0, 2]) : whole;
  const positions = at.position === undefined ? clean.map((_, i) => i) : [at.position];
  const values = tf.tidy(() => {
    const picked = tf.gather(byToken, positions);
    return Float32Array.from(
      (at.head === undefined ? picked : tf.gather(picked, [at.head], 1)).dataSync(),
    );
  });
  if (byToken !== whole) byToken.dispose();
  const edit: DataIntervention = {
    op: 'patch',
    at: name,
    positions,
    values,
    ...(at.head === undefined ? {} : { heads: [at.head] }),
  };
  return measure(model, corrupted, [edit]);
}

function measure(
  model: Transformer,
  tokens: readonly number[],
  interventions: readonly DataIntervention[] = [],
): number {
  using result = model.forward([{ tokens, interventions }], { logits: 'last' });
  return tf.tidy(() => metric(result.lastLogits()).dataSync()[0] as number);
}

describe('patchingSweep', () => {
  for (const name of names) {
    it(`${name}: equals one full run per patch at every site, and leaks nothing`, async () => {
      using model = modelOf(name);
      const sites: PatchSite[] = ['resid_pre', 'resid_mid', 'resid_post', 'attn_out', 'mlp_out'];
      sites.push('q', 'k', 'v', 'z', 'pattern');
      const before = tf.memory().numTensors;
      for (const site of sites) {
        const options: SweepOptions = { model, clean, corrupted, metric, site, rowsPerPass: 7 };
        if (model.reason(siteName(site, 0)) !== undefined) {
          await expect(patchingSweep(options)).rejects.toMatchObject({ code: 'UNKNOWN_HOOK' });
          continue;
        }
        const swept = await patchingSweep(options);
        const headed = swept.axes.some((axis) => axis.name === 'head');
        expect(swept.axes.map((axis) => axis.name)).toEqual([
          'layer',
          headed ? 'head' : 'position',
        ]);
        expect(swept.clean).toBeCloseTo(measure(model, clean), 4);
        expect(swept.corrupted).toBeCloseTo(measure(model, corrupted), 4);
        for (const layer of [0, model.config.nLayers - 1]) {
          for (const index of headed ? [0, 1] : [2, 9]) {
            const at = headed ? { layer, head: index } : { layer, position: index };
            const expected = bruteForce(model, site, at);
            expect(Math.abs(swept.at(layer, index) - expected)).toBeLessThan(5e-5);
          }
        }
      }
      expect(tf.memory().numTensors).toBe(before);
    });
  }

  it('sweeps positions and heads together, and some of either', async () => {
    using model = modelOf('llama3');
    const swept = await patchingSweep({
      model,
      clean,
      corrupted,
      metric,
      site: 'z',
      layers: [1, -1],
      positions: [2, 5, -1],
      heads: [3],
    });
    expect(swept.axes).toEqual([
      { name: 'layer', values: [1, 2] },
      { name: 'position', values: [2, 5, 9] },
      { name: 'head', values: [3] },
    ]);
    const expected = bruteForce(model, 'z', { layer: 2, position: 5, head: 3 });
    expect(Math.abs(swept.at(1, 1, 0) - expected)).toBeLessThan(5e-5);
    const query = await patchingSweep({
      ...{ model, clean, corrupted, metric },
      site: 'pattern',
      layers: [1],
      positions: [9],
      heads: [2],
    });
    const one = bruteForce(model, 'pattern', { layer: 1, position: 9, head: 2 });
    expect(Math.abs(query.at(0, 0, 0) - one)).toBeLessThan(5e-5);
  });

  it('restores the clean metric when everything is patched, and nothing when prompts are equal', async () => {
    using model = modelOf('gpt2');
    const all = await patchingSweep({
      model,
      clean,
      corrupted,
      metric,
      site: 'resid_pre',
      positions: 'all',
    });
    for (const value of all.values) expect(Math.abs(value - all.clean)).toBeLessThan(5e-5);
    const same = await patchingSweep({ model, clean, corrupted: clean, metric, site: 'mlp_out' });
    for (const value of same.values) expect(Math.abs(value - same.clean)).toBeLessThan(5e-5);
  });

  it('refuses what cannot be patched, stops on a signal, checks the metric', async () => {
    using model = modelOf('gpt-neox');
    const options: SweepOptions = { model, clean, corrupted, metric, site: 'resid_pre' };
    const before = tf.memory().numTensors;
    await expect(patchingSweep({ ...options, clean: [1] })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await expect(patchingSweep({ ...options, layers: [7] })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await expect(patchingSweep({ ...options, heads: [0] })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await expect(
      patchingSweep({ ...options, metric: (logits) => tf.reshape(logits, [-1]) }),
    ).rejects.toMatchObject({ code: 'HOOK_RESULT' });
    const controller = new AbortController();
    const stopped = patchingSweep({
      ...options,
      rowsPerPass: 2,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('attributionPatching', () => {
  it.each(['gpt2', 'llama3', 'gemma2'] as const)(
    '%s: is the derivative of the sweep towards the clean activation',
    async (name) => {
      using model = modelOf(name);
      const before = tf.memory().numTensors;
      for (const site of ['resid_pre', 'mlp_out', 'z', 'v', 'pattern'] as const) {
        const layer = 1;
        const estimate = await attributionPatching({
          ...{ model, clean, corrupted, metric: logProbability(11), site },
          layers: [layer],
          positions: [5],
        });
        const point = siteName(site, layer);
        using runs = model.forward([{ tokens: clean }, { tokens: corrupted }], {
          capture: [point],
          logits: 'none',
        });
        const slice = (row: number): tf.Tensor => {
          const x = runs.captured(row, point);
          return tf.tidy(() => tf.gather(site === 'pattern' ? tf.transpose(x, [1, 0, 2]) : x, [5]));
        };
        const [a, b] = [slice(0), slice(1)];
        const heads = estimate.axes.at(-1)?.name === 'head' ? [0, 1] : [undefined];
        for (const [i, head] of heads.entries()) {
          const pick = (x: tf.Tensor): Float32Array =>
            tf.tidy(() =>
              Float32Array.from((head === undefined ? x : tf.gather(x, [head], 1)).dataSync()),
            );
          const [from, to] = [pick(b), pick(a)];
          const step = 0.02;
          const towards = (sign: number): number => {
            const values = from.map((x, j) => x + sign * step * ((to[j] as number) - x));
            using result = model.forward(
              [
                {
                  tokens: corrupted,
                  interventions: [
                    {
                      op: 'patch',
                      at: point,
                      positions: [5],
                      values,
                      ...(head === undefined ? {} : { heads: [head] }),
                    },
                  ],
                },
              ],
              { logits: 'last' },
            );
            return tf.tidy(() => logProbability(11)(result.lastLogits()).dataSync()[0] as number);
          };
          const slope = (towards(1) - towards(-1)) / (2 * step);
          const attributed =
            estimate.at(...(head === undefined ? [0, 0] : [0, 0, i])) - estimate.corrupted;
          expect(Math.abs(attributed - slope)).toBeLessThan(0.02 * Math.abs(slope) + 2e-3);
        }
        tf.dispose([a, b]);
      }
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it('is exact for the last residual position under a metric that is linear there', async () => {
    using model = modelOf('gpt2');
    const options = {
      model,
      clean,
      corrupted,
      metric,
      site: 'resid_post',
      layers: [3],
      positions: [4],
    } as const;
    const estimate = await attributionPatching(options);
    const swept = await patchingSweep(options);
    // Position 4 of the last layer reaches no logit that is measured: both are exactly the corrupted metric.
    expect(estimate.at(0, 0)).toBe(estimate.corrupted);
    expect(Math.abs(swept.at(0, 0) - swept.corrupted)).toBeLessThan(5e-5);
  });
});

describe('pathPatching', () => {
  /** clean minus corrupted output of a head, [p, D], in models without post-norms. */
  function headChange(model: Transformer, layer: number, head: number): tf.Tensor2D {
    const point = `blocks.${layer}.attn.hook_z` as const;
    using runs = model.forward([{ tokens: clean }, { tokens: corrupted }], {
      capture: [point],
      logits: 'none',
    });
    return tf.tidy(() => {
      const { nHeads, dHead, dModel } = model.config;
      const change = tf.sub(runs.captured(0, point), runs.captured(1, point));
      const z: tf.Tensor2D = tf.reshape(tf.gather(change, [head], 1), [clean.length, dHead]);
      const w = tf.reshape(model.weights.get(`blocks.${layer}.attn.W_O`) as tf.Tensor, [
        nHeads,
        dHead,
        dModel,
      ]);
      return tf.matMul(z, tf.reshape(tf.gather(w, [head]), [dHead, dModel]));
    });
  }

  it.each(['gpt2', 'gpt-neox', 'llama3'] as const)(
    '%s: straight to the logits equals adding the head’s change to the final stream',
    async (name) => {
      using model = modelOf(name);
      const before = tf.memory().numTensors;
      const senders = [
        { layer: 0, head: 1 },
        { layer: 1, head: 0 },
        { layer: 1, module: 'mlp' },
      ] as const;
      const found = await pathPatching({
        model,
        clean,
        corrupted,
        metric,
        senders,
        receivers: 'logits',
      });
      expect(tf.memory().numTensors).toBe(before);
      const end = `blocks.${model.config.nLayers - 1}.hook_resid_post` as const;
      const mlp = 'blocks.1.hook_mlp_out' as const;
      using runs = model.forward([{ tokens: corrupted }, { tokens: clean }], {
        capture: [end, mlp],
        logits: 'none',
      });
      for (const [i, sender] of senders.entries()) {
        const expected = tf.tidy(() => {
          const change =
            'head' in sender
              ? headChange(model, sender.layer, sender.head)
              : tf.sub(runs.captured(1, mlp), runs.captured(0, mlp));
          const stream = tf.add(runs.captured(0, end), change);
          const logits = unembedded(model, finalNorm(model, stream)) as tf.Tensor2D;
          return metric(tf.slice(logits, [clean.length - 1, 0], [1, -1])).dataSync()[0] as number;
        });
        expect(Math.abs((found.values[i] as number) - expected)).toBeLessThan(5e-5);
        expect(Math.abs(expected - found.corrupted)).toBeGreaterThan(1e-3);
      }
    },
  );

  it.each(['gpt2', 'llama3'] as const)(
    '%s: to queries, values and an MLP equals a run in which only those read the changed stream',
    async (name) => {
      using model = modelOf(name);
      const sender = { layer: 0, head: 1 } as const;
      const found = await pathPatching({
        ...{ model, clean, corrupted, metric },
        senders: [sender],
        receivers: [
          { layer: 2, head: 0, input: 'q' },
          { layer: 2, head: 1, input: 'v' },
          { layer: 1, module: 'mlp' },
        ],
      });
      const change = headChange(model, sender.layer, sender.head);
      // The change reaches layers only along the residual connection, so each input sees its own stream plus it.
      using base = model.forward([{ tokens: corrupted }], {
        capture: ['blocks.1.hook_mlp_in', 'blocks.2.hook_q_input', 'blocks.2.hook_v_input'],
        logits: 'none',
      });
      const shifted = (point: Parameters<typeof base.captured>[1], head?: number): Float32Array =>
        tf.tidy(() => {
          const x = base.captured(0, point);
          const own = head === undefined ? x : tf.squeeze(tf.gather(x, [head], 1), [1]);
          return Float32Array.from(tf.add(own, change).dataSync());
        });
      const positions = clean.map((_, i) => i);
      const expected = measure(model, corrupted, [
        {
          op: 'patch',
          at: 'blocks.1.hook_mlp_in',
          positions,
          values: shifted('blocks.1.hook_mlp_in'),
        },
        {
          op: 'patch',
          at: 'blocks.2.hook_q_input',
          positions,
          heads: [0],
          values: shifted('blocks.2.hook_q_input', 0),
        },
        {
          op: 'patch',
          at: 'blocks.2.hook_v_input',
          positions,
          heads: [1],
          values: shifted('blocks.2.hook_v_input', 1),
        },
      ]);
      change.dispose();
      expect(Math.abs((found.values[0] as number) - expected)).toBeLessThan(5e-5);
      expect(Math.abs(expected - found.corrupted)).toBeGreaterThan(1e-3);
    },
  );

  it('works through post-norms, in batches, and refuses paths that do not exist', async () => {
    using model = modelOf('gemma2');
    const senders = [0, 1, 2].map((head) => ({ layer: 1, head }));
    const receivers = [{ layer: 3, head: 2, input: 'k' as const }];
    const bad = pathPatching({ model, clean, corrupted, metric, senders, receivers });
    await expect(bad).rejects.toMatchObject({ code: 'BAD_ARGUMENT' }); // two key heads only
    const options = {
      model,
      clean,
      corrupted,
      metric,
      receivers: [{ layer: 3, head: 1, input: 'k' as const }],
    };
    const together = await pathPatching({ ...options, senders });
    for (const [i, sender] of senders.entries()) {
      const alone = await pathPatching({ ...options, senders: [sender] });
      expect(Math.abs((alone.values[0] as number) - (together.values[i] as number))).toBeLessThan(
        5e-5,
      );
    }
    await expect(
      pathPatching({ ...options, senders: [{ layer: 3, head: 0 }] }),
    ).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    await expect(pathPatching({ ...options, senders: [] })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
  });
});
