// Algebra that every family must satisfy at its hook points: what catches a hook that shows the wrong tensor.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { WeightName } from '../src/config/weight-name.ts';
import type { HookName } from '../src/hooks/hook-name.ts';
import type { Intervention } from '../src/hooks/intervention.ts';
import { forward } from '../src/model/forward.ts';
import type { ForwardResult } from '../src/model/forward-options.ts';
import type { Row } from '../src/model/row.ts';
import type { Transformer } from '../src/model/transformer.ts';
import { normals } from '../src/random/seeded-random.ts';
import { onBackend } from './on-backend.ts';
import { fixtureModel, fixtureNames, readFixture } from './parity/fixture.ts';

onBackend('cpu');

const SUM = 2e-5; // sums in another order; residuals reach 30 here
const families = fixtureNames().filter((name) => !/:|-(bf16|f16|sharded)$/.test(name));

function worst(a: tf.Tensor, b: tf.Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0] as number);
}

/** Runs `use` with the fixture's model and its long prompt (past every window), and checks the memory. */
async function withFamily(
  family: string,
  use: (model: Transformer, tokens: readonly number[]) => void,
): Promise<void> {
  const fixture = await readFixture(family);
  const before = tf.memory().numTensors;
  const model = fixtureModel(fixture);
  tf.tidy(() => {
    use(model, fixture.facts.prompts['long'] as readonly number[]);
  });
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
}

/** Norm with the family's own eps and gain, in plain operations. */
function normed(model: Transformer, x: tf.Tensor, name: string): tf.Tensor {
  const { kind, eps, gainOffset } = model.config.norm;
  const c = kind === 'layer' ? tf.sub(x, tf.mean(x, -1, true)) : x;
  const y = tf.div(c, tf.sqrt(tf.add(tf.mean(tf.square(c), -1, true), eps)));
  const scaled = tf.mul(y, tf.add(model.weights.get(`${name}.w` as never)!, gainOffset));
  const bias = model.weights.get(`${name}.b` as never);
  return bias === undefined ? scaled : tf.add(scaled, bias);
}

describe.each(families)('%s', (family) => {
  it('pattern x v = z, causal, rows sum to 1; tiled heads would not', async () => {
    await withFamily(family, (model, tokens) => {
      const { nHeads, nKvHeads, nLayers, layers } = model.config;
      for (let layer = 0; layer < nLayers; layer++) {
        const at = (point: string): HookName => `blocks.${layer}.attn.${point}` as HookName;
        using run = model.forward([{ tokens }], {
          capture: [at('hook_pattern'), at('hook_v'), at('hook_z')],
        });
        const pattern = run.captured(0, at('hook_pattern')) as tf.Tensor3D;
        const v = tf.transpose(run.captured(0, at('hook_v')), [1, 0, 2]); // [kv, k, e]
        const heads = (map: (head: number) => number): tf.Tensor =>
          tf.gather(
            v,
            tf.tensor1d(
              Array.from({ length: nHeads }, (_, h) => map(h)),
              'int32',
            ),
          );
        const share = nHeads / nKvHeads;
        const z = tf.transpose(run.captured(0, at('hook_z')), [1, 0, 2]);
        const ours = tf.matMul(
          pattern,
          heads((h) => Math.floor(h / share)),
        );
        expect(worst(ours, z)).toBeLessThan(SUM);
        if (share > 1 && nKvHeads > 1) {
          expect(
            worst(
              tf.matMul(
                pattern,
                heads((h) => h % nKvHeads),
              ),
              z,
            ),
          ).toBeGreaterThan(0.1);
        }
        expect(worst(tf.sum(pattern, -1), tf.ones([nHeads, tokens.length]))).toBeLessThan(1e-6);
        const window = layers[layer]?.window ?? Number.POSITIVE_INFINITY;
        const values = pattern.arraySync();
        values.forEach((rows) => {
          rows.forEach((keys, q) => {
            keys.forEach((p, k) => {
              if (k > q || k <= q - window) expect(p).toBe(0);
              else expect(p).toBeGreaterThan(0);
            });
          });
        });
      }
    });
  });

  it('residuals add up from contributions; raw outputs differ where a norm follows', async () => {
    await withFamily(family, (model, tokens) => {
      const { block, nLayers } = model.config;
      for (let layer = 0; layer < nLayers; layer++) {
        const at = (point: string): HookName => `blocks.${layer}.${point}` as HookName;
        const capture = [
          'hook_resid_pre',
          'hook_attn_out',
          'hook_attn_out_raw',
          'hook_mlp_out',
          'hook_mlp_out_raw',
          'hook_resid_post',
        ].map(at);
        if (block.layout === 'sequential') capture.push(at('hook_resid_mid'));
        using run = model.forward([{ tokens }], { capture });
        const get = (point: string): tf.Tensor => run.captured(0, at(point));
        const mid = tf.add(get('hook_resid_pre'), get('hook_attn_out'));
        expect(worst(tf.add(mid, get('hook_mlp_out')), get('hook_resid_post'))).toBeLessThan(SUM);
        if (block.layout === 'sequential')
          expect(worst(mid, get('hook_resid_mid'))).toBeLessThan(SUM);
        const raw = tf.add(
          tf.add(get('hook_resid_pre'), get('hook_attn_out_raw')),
          get('hook_mlp_out_raw'),
        );
        const difference = worst(raw, get('hook_resid_post'));
        if (block.postNorm) expect(difference).toBeGreaterThan(0.1);
        else expect(difference).toBeLessThan(SUM);
      }
    });
  });

  it('modules give what their weights say: W_out on post, results per head on z', async () => {
    await withFamily(family, (model, tokens) => {
      const { nLayers, nHeads, dHead, dModel } = model.config;
      for (let layer = 0; layer < nLayers; layer++) {
        const at = (point: string): HookName => `blocks.${layer}.${point}` as HookName;
        const w = (name: string): tf.Tensor | undefined =>
          model.weights.get(`blocks.${layer}.${name}` as never);
        using run = model.forward([{ tokens }], {
          capture: [
            'mlp.hook_post',
            'hook_mlp_out_raw',
            'attn.hook_result',
            'attn.hook_z',
            'hook_attn_out_raw',
          ].map(at),
        });
        const plus = (x: tf.Tensor, bias: tf.Tensor | undefined): tf.Tensor =>
          bias === undefined ? x : tf.add(x, bias);
        const mlp = tf.matMul(
          run.captured(0, at('mlp.hook_post')) as tf.Tensor2D,
          w('mlp.W_out') as tf.Tensor2D,
        );
        expect(
          worst(plus(mlp, w('mlp.b_out')), run.captured(0, at('hook_mlp_out_raw'))),
        ).toBeLessThan(SUM);
        const result = run.captured(0, at('attn.hook_result'));
        expect(result.shape).toEqual([tokens.length, nHeads, dModel]);
        expect(
          worst(plus(tf.sum(result, 1), w('attn.b_O')), run.captured(0, at('hook_attn_out_raw'))),
        ).toBeLessThan(SUM);
        const head = nHeads - 1;
        const z = tf.reshape(
          tf.slice(run.captured(0, at('attn.hook_z')), [0, head, 0], [-1, 1, -1]),
          [-1, dHead],
        );
        const own = tf.matMul(
          z as tf.Tensor2D,
          tf.slice(w('attn.W_O') as tf.Tensor2D, [head * dHead, 0], [dHead, -1]),
        );
        expect(
          worst(own, tf.reshape(tf.slice(result, [0, head, 0], [-1, 1, -1]), own.shape)),
        ).toBeLessThan(SUM);
      }
    });
  });

  it('the final residual, normed and unembedded, is the logits; norm points agree with their norm', async () => {
    await withFamily(family, (model, tokens) => {
      const { nLayers, tiedEmbeddings, finalSoftcap, block } = model.config;
      const last: HookName = `blocks.${nLayers - 1}.hook_resid_post`;
      const norms: [name: string, input: HookName][] = [['ln_final', last]];
      if (block.preNorm) norms.push(['blocks.1.ln1', 'blocks.1.hook_resid_pre']);
      if (block.preNorm && !block.sharedNorm) norms.push(['blocks.1.ln2', 'blocks.1.hook_mlp_in']);
      if (block.postNorm)
        norms.push(
          ['blocks.1.ln1_post', 'blocks.1.hook_attn_out_raw'],
          ['blocks.1.ln2_post', 'blocks.1.hook_mlp_out_raw'],
        );
      const capture = norms.flatMap(([name, input]) => [
        input,
        ...['scale', 'normalized', 'out'].map((part) => `${name}.hook_${part}` as HookName),
      ]);
      using run = model.forward([{ tokens }], {
        capture: [...new Set(capture), 'unembed.hook_in', 'unembed.hook_out'],
        logits: 'all',
      });
      for (const [name, input] of norms) {
        const part = (which: string): tf.Tensor =>
          run.captured(0, `${name}.hook_${which}` as HookName);
        const x = run.captured(0, input);
        expect(worst(normed(model, x, name), part('out')), name).toBeLessThan(SUM);
        const c = model.config.norm.kind === 'layer' ? tf.sub(x, tf.mean(x, -1, true)) : x;
        expect(part('scale').shape).toEqual([tokens.length, 1]);
        expect(worst(tf.mul(part('normalized'), part('scale')), c), name).toBeLessThan(SUM);
      }
      const out = normed(model, run.captured(0, last), 'ln_final') as tf.Tensor2D;
      expect(worst(out, run.captured(0, 'unembed.hook_in'))).toBeLessThan(SUM);
      const W = model.weights.get(tiedEmbeddings ? 'embed.W_E' : 'unembed.W_U') as tf.Tensor2D;
      let logits: tf.Tensor = tf.matMul(out, W, false, tiedEmbeddings);
      const bias = model.weights.get('unembed.b_U');
      if (bias !== undefined) logits = tf.add(logits, bias);
      if (finalSoftcap !== null)
        logits = tf.mul(tf.tanh(tf.div(logits, finalSoftcap)), finalSoftcap);
      expect(worst(logits, run.logits(0))).toBeLessThan(SUM);
      expect(worst(run.captured(0, 'unembed.hook_out'), run.logits(0))).toBe(0);
    });
  });

  it('looking at every point moves no bit; a change at any point moves the logits', async () => {
    await withFamily(family, (model, tokens) => {
      using plain = model.forward([{ tokens }]);
      const look = model.points().map((at): Intervention => ({ at, apply: (x) => x.clone() }));
      using looked = model.forward([{ tokens, interventions: look }], { capture: model.points() });
      expect(worst(plain.logits(0), looked.logits(0))).toBe(0);
      const short = tokens.slice(0, 9); // past the windows of 8
      using base = model.forward([{ tokens: short }]);
      for (const at of model.points()) {
        const apply = (x: tf.Tensor): tf.Tensor =>
          tf.add(x, tf.mul(tf.cos(tf.clipByValue(x, -9, 9)), 0.1));
        using edited = model.forward([{ tokens: short, interventions: [{ at, apply }] }]);
        expect(worst(base.logits(0), edited.logits(0)), at).toBeGreaterThan(1e-6);
      }
    });
  });

  it('every point has the shape its table states', async () => {
    await withFamily(family, (model, tokens) => {
      const { config } = model;
      const points = model.points();
      using run = model.forward([{ tokens: tokens.slice(0, 3) }, { tokens }], { capture: points });
      const sizes: Record<string, number> = {
        p: tokens.length,
        q: tokens.length,
        k: tokens.length,
        h: config.nHeads,
        kv: config.nKvHeads,
        e: config.dHead,
        D: config.dModel,
        m: config.dMlp,
        V: config.vocabSize,
        '1': 1,
      };
      for (const name of points) {
        const parsed = model.point(name);
        const shape = parsed.axes.map((axis) => sizes[axis]!);
        // One scale for all heads where the q/k norm spans them.
        if (config.attention.qkNorm === 'full' && /[qk]_norm\.hook_scale/.test(name)) shape[1] = 1;
        expect(run.captured(1, name).shape, name).toEqual(shape);
      }
    });
  });

  it('a cached step shows at every point what the whole pass shows, interventions on, in a ragged batch', async () => {
    await withFamily(family, (model, tokens) => {
      const points = model.points();
      const vector = normals(5, model.config.dModel);
      const interventions: Intervention[] = [
        { at: 'blocks.0.hook_resid_post', op: 'add', vector, scale: 0.5 },
        { at: 'blocks.1.attn.hook_z', op: 'scale', factor: 0.5, heads: [0] },
        { at: 'blocks.1.mlp.hook_post', op: 'clamp', max: 1 },
      ];
      const rows: Row[] = [
        { tokens: tokens.slice(3, 12), interventions },
        { tokens, interventions },
        { tokens: tokens.slice(0, 2) },
      ];
      const caches = rows.map(() => model.createCache());
      model
        .forward(
          rows.map((row, i) => ({
            ...row,
            tokens: row.tokens.slice(0, -1) as number[],
            cache: caches[i]!,
          })),
        )
        .dispose();
      using step = model.forward(
        rows.map((row, i) => ({
          ...row,
          tokens: row.tokens.slice(-1) as number[],
          cache: caches[i]!,
        })),
        { capture: points },
      );
      rows.forEach((row, i) => {
        using whole = model.forward([row], { capture: points });
        expect(worst(step.logits(i), whole.logits(0))).toBeLessThan(SUM);
        for (const name of points)
          expect(lastDifference(model, name, step, i, whole), name).toBeLessThan(SUM);
      });
      for (const cache of caches) cache.dispose();
    });
  });

  it('padding on either side, or none, gives the same', async () => {
    await withFamily(family, (model, tokens) => {
      const rows: Row[] = [{ tokens: tokens.slice(0, 5) }, { tokens }, { tokens: tokens.slice(7) }];
      using right = model.forward(rows, { logits: 'all' });
      using left = leftPadded(model, rows);
      rows.forEach((row, i) => {
        using alone = model.forward([row], { logits: 'all' });
        expect(worst(right.logits(i), alone.logits(0))).toBeLessThan(SUM);
        expect(worst(left.logits(i), alone.logits(0))).toBeLessThan(SUM);
      });
    });
  });
});

/** The pass with attention padded on the left: an internal setting that no result may depend on. */
function leftPadded(model: Transformer, rows: readonly Row[]): ForwardResult {
  const weight = (name: WeightName): tf.Tensor | undefined => model.weights.get(name);
  const sources = { config: model.config, adapters: new Map(), encode: undefined, weight };
  return forward(sources, rows, { logits: 'all' }, { side: 'left' });
}

/** Difference at the last token; masked scores are compared where keys are visible. */
function lastDifference(
  model: Transformer,
  name: HookName,
  step: ForwardResult,
  row: number,
  whole: ForwardResult,
): number {
  const a = step.captured(row, name);
  const b = whole.captured(0, name);
  const axis = model.point(name).axes.indexOf('q') === 1 ? 1 : 0;
  const begin = b.shape.map((size, i) => (i === axis ? size - 1 : 0));
  const last = tf.slice(
    b,
    begin,
    b.shape.map((size, i) => (i === axis ? 1 : size)),
  );
  const clip = (x: tf.Tensor): tf.Tensor => tf.clipByValue(x, -1e4, 1e4);
  return worst(clip(a), clip(last));
}
