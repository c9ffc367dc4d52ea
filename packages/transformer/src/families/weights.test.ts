// Weights in and out of checkpoints: every fixture, every root, and everything that must be refused.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { ModelConfig } from '../config/model-config.ts';
import { weightShapes } from '../config/weight-shapes.ts';
import { type Checkpoint, openCheckpoint } from '../safetensors/checkpoint.ts';
import { peftModules } from './peft-modules.ts';
import { readWeights, type WeightSource } from './read-weights.ts';
import { readModelConfig } from './registry.ts';
import { checkpointLayout, encodeWeights } from './write-weights.ts';

const root = new URL('../../fixtures/', import.meta.url);
const folders = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const opened: Checkpoint[] = [];
afterAll(() => Promise.all(opened.map((checkpoint) => checkpoint.close())));

const configOf = (folder: string): ModelConfig =>
  readModelConfig(JSON.parse(readFileSync(new URL(`${folder}/config.json`, root), 'utf8')));

async function open(folder: string): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(new URL(folder, root).pathname);
  opened.push(checkpoint);
  return checkpoint;
}

/** A checkpoint in memory whose tensors are renamed, added or removed. */
function edited(
  checkpoint: Checkpoint,
  rename: (name: string) => string | undefined,
  extra: Readonly<Record<string, readonly number[]>> = {},
): WeightSource {
  const origin = new Map<string, string>();
  const tensors = new Map<string, { readonly shape: readonly number[] }>();
  for (const [name, info] of checkpoint.tensors) {
    const next = rename(name);
    if (next === undefined) continue;
    origin.set(next, name);
    tensors.set(next, info);
  }
  for (const [name, shape] of Object.entries(extra)) tensors.set(name, { shape });
  return { tensors, read: (name) => checkpoint.read(origin.get(name) ?? name) };
}

async function refusal(run: Promise<unknown>): Promise<{ code: string; message: string }> {
  return run.then(
    () => expect.fail('accepted'),
    (error: { code: string; message: string }) => error,
  );
}

describe('readWeights', () => {
  for (const folder of folders) {
    it(`${folder}: finds every weight, and writing gives the file back bit for bit`, async () => {
      const checkpoint = await open(folder);
      const config = configOf(folder);
      const weights = await readWeights({ checkpoint, config });
      const shapes = weightShapes(config);
      expect([...weights.keys()].sort()).toEqual([...shapes.keys()].sort());
      for (const [name, weight] of weights) expect(weight.shape).toEqual(shapes.get(name));
      const read = (name: Parameters<typeof weights.get>[0]): Float32Array =>
        weights.get(name)?.data ?? expect.fail(name);
      const written: string[] = [];
      for await (const tensor of encodeWeights({ config, read })) {
        written.push(tensor.name);
        const original = await checkpoint.read(tensor.name);
        expect(tensor.shape).toEqual(original.shape);
        expect(tensor.data).toEqual(original.data);
      }
      expect(written.sort()).toEqual([...checkpoint.tensors.keys()].sort());
      expect(
        checkpointLayout(config)
          .map(({ name }) => name)
          .sort(),
      ).toEqual(written);
    });
  }

  it('takes heads of NeoX one by one out of the fused tensor', async () => {
    const checkpoint = await open('gpt-neox');
    const config = configOf('gpt-neox');
    const { nHeads, dHead, dModel } = config;
    const weights = await readWeights({ checkpoint, config });
    const fused = (await checkpoint.read('gpt_neox.layers.1.attention.query_key_value.weight'))
      .data;
    for (const [which, name] of (['W_Q', 'W_K', 'W_V'] as const).entries()) {
      const matrix = weights.get(`blocks.1.attn.${name}`)?.data as Float32Array;
      for (const [head, i, d] of [
        [0, 0, 0],
        [1, 3, 5],
        [nHeads - 1, dHead - 1, dModel - 1],
      ] as const) {
        const row = (head * 3 + which) * dHead + i;
        expect(matrix[d * nHeads * dHead + head * dHead + i]).toBe(fused[row * dModel + d]);
      }
    }
  });

  it('accepts bodies without a prefix, mask buffers, rotary tables and a tied head', async () => {
    const gpt2 = await open('gpt2');
    const bare = edited(gpt2, (name) => name.replace(/^transformer\./, ''), {
      'h.0.attn.bias': [1, 1, 64, 64],
      'h.3.attn.masked_bias': [],
      'lm_head.weight': [96, 32],
    });
    const plain = await readWeights({ checkpoint: gpt2, config: configOf('gpt2') });
    expect(await readWeights({ checkpoint: bare, config: configOf('gpt2') })).toEqual(plain);
    const llama = edited(await open('llama'), (name) => name, {
      'model.layers.0.self_attn.rotary_emb.inv_freq': [4],
    });
    await readWeights({ checkpoint: llama, config: configOf('llama') });
  });

  it.each([
    ['model.', 'model.language_model.', 'model.vision_tower.x.weight'],
    ['model.', 'language_model.model.', 'multi_modal_projector.x.weight'],
  ])('accepts multimodal Gemma 3 with %s replaced by %s', async (from, to, vision) => {
    const checkpoint = await open('gemma3');
    const config = configOf('gemma3');
    const wrapped = edited(checkpoint, (name) => name.replace(from, to), { [vision]: [3, 3] });
    expect(await readWeights({ checkpoint: wrapped, config })).toEqual(
      await readWeights({ checkpoint, config }),
    );
  });

  it('takes the new name of the NeoX head', async () => {
    const checkpoint = await open('gpt-neox');
    const config = configOf('gpt-neox');
    const renamed = edited(checkpoint, (name) => name.replace('embed_out', 'lm_head'));
    expect((await readWeights({ checkpoint: renamed, config })).size).toBe(
      weightShapes(config).size,
    );
  });

  it('names every missing, misshapen and unexpected tensor, and reads nothing', async () => {
    const checkpoint = await open('qwen2');
    const config = configOf('qwen2');
    const broken = edited(
      checkpoint,
      (name) =>
        name.endsWith('layers.1.self_attn.k_proj.bias') || name === 'lm_head.weight'
          ? undefined
          : name,
      { 'model.norm.weight': [31], 'model.layers.0.mlp.experts.0.weight': [2, 2] },
    );
    let reads = 0;
    const counted: WeightSource = {
      tensors: broken.tensors,
      read: (name) => {
        reads += 1;
        return broken.read(name);
      },
    };
    const error = await refusal(readWeights({ checkpoint: counted, config }));
    expect(error.code).toBe('BAD_WEIGHTS');
    expect(error.message).toContain('model.layers.1.self_attn.k_proj.bias [16] is missing');
    expect(error.message).toContain('lm_head.weight [96, 32] is missing');
    expect(error.message).toContain('model.norm.weight has shape [31] for [32]');
    expect(error.message).toContain('model.layers.0.mlp.experts.0.weight is unexpected');
    expect(reads).toBe(0);
    const extra = edited(checkpoint, (name) => name, { 'score.weight': [2, 32] });
    expect((await refusal(readWeights({ checkpoint: extra, config }))).code).toBe('BAD_WEIGHTS');
    await readWeights({ checkpoint: extra, config, unexpected: 'ignore' });
  });

  it('stops when the signal fires', async () => {
    const controller = new AbortController();
    controller.abort();
    const checkpoint = await open('llama');
    const run = readWeights({ checkpoint, config: configOf('llama'), signal: controller.signal });
    expect((await refusal(run)).code).toBe('ABORTED');
  });

  it('refuses to write weights the family has no place for', async () => {
    const config = configOf('gptj');
    const folded = { ...config, biases: { ...config.biases, qkv: true } };
    expect(() => checkpointLayout(folded)).not.toThrow(); // the module could carry a bias tensor
    const llama = configOf('llama');
    const layer = { ...llama, norm: { ...llama.norm, kind: 'layer' as const } };
    expect(() =>
      checkpointLayout({ ...layer, attention: { ...llama.attention, qkNorm: 'head' } }),
    ).toThrow(/q_norm/);
  });
});

describe('peftModules', () => {
  it('names the modules of PEFT and splits fused outputs', () => {
    const llama = peftModules(configOf('llama'));
    expect(llama.map(({ module }) => module)).toContain('model.layers.0.self_attn.q_proj');
    expect(llama.map(({ module }) => module)).toContain('lm_head');
    expect(llama.some(({ module }) => module.includes('embed'))).toBe(false);
    const gpt2 = peftModules(configOf('gpt2')).find(({ target }) => target === 'c_attn');
    expect(gpt2).toMatchObject({ inputs: 32, outputs: 96, fanInFanOut: true });
    expect(gpt2?.parts.map(({ outputs }) => outputs[0])).toEqual([0, 32, 64]);
    const config = configOf('gpt-neox');
    const neox = peftModules(config).find(({ target }) => target === 'query_key_value');
    const seen = neox?.parts.flatMap(({ outputs }) => [...outputs]) ?? [];
    expect(seen.sort((a, b) => a - b)).toEqual(
      Array.from({ length: 3 * config.dModel }, (_, i) => i),
    );
    expect(neox?.parts[1]?.outputs[config.dHead]).toBe(4 * config.dHead);
    const phi3 = peftModules(configOf('phi3')).find(({ target }) => target === 'gate_up_proj');
    expect(phi3?.parts.map(({ name }) => name)).toEqual([
      'blocks.0.mlp.W_gate',
      'blocks.0.mlp.W_in',
    ]);
  });
});
