// Reading and writing config.json: every fixture in both spellings, published models, and refusals.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configText } from './config-text.ts';
import { readModelConfig, writeModelConfig } from './registry.ts';

const root = new URL('../../fixtures/', import.meta.url);
const fixtures = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap((entry) =>
    readdirSync(new URL(`${entry.name}/`, root))
      .filter((file) => /^config\..*json$/.test(file))
      .map((file) => `${entry.name}/${file}`),
  );
const json = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(path, root), 'utf8')) as Record<string, unknown>;

describe('readModelConfig on the fixtures', () => {
  it('finds them', () => expect(fixtures.length).toBeGreaterThan(30));

  for (const path of fixtures.filter((name) => name.endsWith('.legacy.json'))) {
    it(`${path} means the same as the new spelling`, () => {
      const modern = path.replace('.legacy.json', '.json');
      expect(readModelConfig(json(path))).toEqual(readModelConfig(json(modern)));
    });
  }

  for (const path of fixtures) {
    it(`${path} survives writing and reading`, () => {
      const config = readModelConfig(json(path));
      expect(readModelConfig(writeModelConfig(config))).toEqual(config);
    });
  }

  it('states the facts of each family', () => {
    const gemma3 = readModelConfig(json('gemma3/config.json'));
    expect(gemma3.layers.map(({ window }) => window)).toEqual([8, 8, 8, 8, 8, null, 8]);
    expect(gemma3.layers[0]?.rotary?.theta).toBe(10_000);
    expect(gemma3.layers[5]?.rotary).toMatchObject({
      theta: 1e6,
      scaling: { kind: 'linear', factor: 8 },
    });
    expect(gemma3.attention.scale[0]).toBe(20 ** -0.5);
    const gemma2 = readModelConfig(json('gemma2/config.json'));
    expect(gemma2.layers.map(({ window }) => window)).toEqual([8, null, 8, null]);
    const qwen = readModelConfig(json('qwen2-window/config.json'));
    expect(qwen.layers.map(({ window }) => window)).toEqual([null, 8, 8]);
    const off = readModelConfig(json('qwen2/config.window-off.json'));
    expect(off.layers.map(({ window }) => window)).toEqual([null, null, null]);
    const scaled = readModelConfig(json('gpt2/config.inverse-layer-scale.json'));
    expect(scaled.attention.scale).toEqual([1, 2, 3, 4].map((layer) => 8 ** -0.5 / layer));
    expect(readModelConfig(json('phi/config.json')).layers[0]?.rotary?.dim).toBe(6);
    expect(readModelConfig(json('gptj/config.json')).layers[0]?.rotary?.interleaved).toBe(true);
  });
});

describe('readModelConfig on published configs', () => {
  it('reads the original gpt2 file', () => {
    const config = readModelConfig({
      activation_function: 'gelu_new',
      architectures: ['GPT2LMHeadModel'],
      bos_token_id: 50256,
      eos_token_id: 50256,
      layer_norm_epsilon: 1e-5,
      model_type: 'gpt2',
      n_ctx: 1024,
      n_embd: 768,
      n_head: 12,
      n_layer: 12,
      n_positions: 1024,
      vocab_size: 50257,
    });
    expect(config).toMatchObject({
      dModel: 768,
      dMlp: 3072,
      dHead: 64,
      tiedEmbeddings: true,
      positions: 'learned',
      mlp: { gated: false, activation: 'gelu_tanh' },
    });
  });

  it('reads Llama 3.2, whose scaling acts from position 1 on', () => {
    const config = readModelConfig({
      model_type: 'llama',
      hidden_size: 2048,
      intermediate_size: 8192,
      num_attention_heads: 32,
      num_hidden_layers: 16,
      num_key_value_heads: 8,
      head_dim: 64,
      eos_token_id: [128001, 128008, 128009],
      bos_token_id: 128000,
      rope_theta: 500000.0,
      rope_scaling: {
        factor: 32.0,
        high_freq_factor: 4.0,
        low_freq_factor: 1.0,
        original_max_position_embeddings: 8192,
        rope_type: 'llama3',
      },
      max_position_embeddings: 131072,
      rms_norm_eps: 1e-5,
      tie_word_embeddings: true,
      vocab_size: 128256,
    });
    expect(config.eosTokenIds).toEqual([128001, 128008, 128009]);
    expect(config.layers[0]?.rotary?.scaling).toEqual({
      kind: 'llama3',
      factor: 32,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 8192,
    });
  });

  it('reads multimodal Gemma 3, whose text model is mostly defaults', () => {
    const config = readModelConfig({
      architectures: ['Gemma3ForConditionalGeneration'],
      model_type: 'gemma3',
      eos_token_id: [1, 106],
      text_config: {
        hidden_size: 2560,
        intermediate_size: 10240,
        model_type: 'gemma3_text',
        num_hidden_layers: 34,
        rope_scaling: { factor: 8.0, rope_type: 'linear' },
        sliding_window: 1024,
      },
      vision_config: { hidden_size: 1152 },
    });
    expect(config).toMatchObject({
      family: 'gemma3',
      nHeads: 8,
      nKvHeads: 4,
      dHead: 256,
      eosTokenIds: [1, 106],
      tiedEmbeddings: true,
    });
    expect(config.layers.filter(({ window }) => window === null).length).toBe(5);
    expect(config.layers[0]?.rotary?.scaling).toEqual({ kind: 'none' });
    expect(config.layers[5]?.rotary?.scaling).toEqual({ kind: 'linear', factor: 8 });
  });

  it('reads Pythia (rotary_pct), Mistral v0.1 and v0.2, legacy Gemma and Phi-3', () => {
    const pythia = readModelConfig({
      model_type: 'gpt_neox',
      hidden_size: 512,
      num_attention_heads: 8,
      num_hidden_layers: 6,
      intermediate_size: 2048,
      rotary_emb_base: 10000,
      rotary_pct: 0.25,
      use_parallel_residual: true,
    });
    expect(pythia.layers[0]?.rotary?.dim).toBe(16);
    expect(pythia.mlp.activation).toBe('gelu');
    expect(readModelConfig({ model_type: 'mistral' }).layers[0]?.window).toBe(4096);
    expect(readModelConfig({ model_type: 'mistral', sliding_window: null }).layers[0]?.window).toBe(
      null,
    );
    const gemma = readModelConfig({ model_type: 'gemma', hidden_act: 'gelu' });
    expect(gemma.mlp.activation).toBe('gelu_tanh');
    const phi3 = readModelConfig({
      model_type: 'phi3',
      original_max_position_embeddings: 4096,
      max_position_embeddings: 131072,
      rope_scaling: {
        type: 'su',
        short_factor: new Array(48).fill(1.1),
        long_factor: new Array(48).fill(9.5),
      },
    });
    const scaling = phi3.layers[0]?.rotary?.scaling;
    expect(scaling).toMatchObject({ kind: 'longrope', originalMaxPositions: 4096 });
    expect(scaling?.kind === 'longrope' && scaling.attentionFactor).toBeCloseTo(
      Math.sqrt(1 + Math.log(32) / Math.log(4096)),
      14,
    );
  });

  it('follows the tying default of each family', () => {
    for (const [type, tied] of [
      ['gpt2', true],
      ['gemma', true],
      ['gemma2', true],
      ['gemma3_text', true],
      ['llama', false],
      ['qwen3', false],
      ['phi3', false],
      ['gpt_neox', false],
    ] as const) {
      expect(readModelConfig({ model_type: type }).tiedEmbeddings).toBe(tied);
    }
  });

  it('takes architectures when model_type is absent', () => {
    expect(readModelConfig({ architectures: ['Olmo2ForCausalLM'] }).family).toBe('olmo2');
  });
});

describe('configText', () => {
  it('keeps the fraction of whole numbers that Python types as float, and of no other', () => {
    const config = { final_logit_softcapping: 30, rope_scaling: { factor: 8 }, hidden_size: 32 };
    const text = configText(config);
    expect(text).toContain('"final_logit_softcapping": 30.0,');
    expect(text).toContain('"factor": 8.0\n');
    expect(text).toContain('"hidden_size": 32\n');
    expect(JSON.parse(text)).toEqual(config);
  });
});

describe('readModelConfig refuses', () => {
  const refused = (json: unknown): { code: string; message: string } => {
    try {
      readModelConfig(json);
    } catch (error) {
      return error as { code: string; message: string };
    }
    throw new Error('accepted');
  };

  it.each([
    [null, 'BAD_CONFIG', 'top level'],
    [[], 'BAD_CONFIG', 'top level'],
    [{}, 'UNSUPPORTED', 'model_type'],
    [{ model_type: 'mamba' }, 'UNSUPPORTED', 'mamba'],
    [{ model_type: '__proto__' }, 'UNSUPPORTED', '__proto__'],
    [{ model_type: 'llama', hidden_size: 0 }, 'BAD_CONFIG', "'hidden_size'"],
    [{ model_type: 'llama', hidden_size: 1e12 }, 'BAD_CONFIG', "'hidden_size'"],
    [{ model_type: 'llama', num_hidden_layers: 1e6 }, 'BAD_CONFIG', "'num_hidden_layers'"],
    [{ model_type: 'llama', num_attention_heads: 7 }, 'BAD_CONFIG', "'num_attention_heads'"],
    [{ model_type: 'llama', num_key_value_heads: 5 }, 'BAD_CONFIG', "'num_key_value_heads'"],
    [{ model_type: 'llama', hidden_act: 'mish' }, 'BAD_CONFIG', "'hidden_act'"],
    [{ model_type: 'llama', rms_norm_eps: 'small' }, 'BAD_CONFIG', "'rms_norm_eps'"],
    [{ model_type: 'llama', tie_word_embeddings: 1 }, 'BAD_CONFIG', "'tie_word_embeddings'"],
    [
      { model_type: 'llama', rope_scaling: { type: 'ntk' } },
      'BAD_CONFIG',
      "'rope_scaling.rope_type'",
    ],
    [
      { model_type: 'llama', rope_scaling: { type: 'linear' } },
      'BAD_CONFIG',
      "'rope_scaling.factor'",
    ],
    [{ model_type: 'llama', partial_rotary_factor: 0.5 }, 'BAD_CONFIG', "'partial_rotary_factor'"],
    [{ model_type: 'gemma2', sliding_window: null }, 'BAD_CONFIG', "'sliding_window'"],
    [{ model_type: 'qwen2', layer_types: ['full_attention'] }, 'BAD_CONFIG', "'layer_types'"],
    [{ model_type: 'llama', quantization_config: { bits: 4 } }, 'UNSUPPORTED', 'quantised'],
    [{ model_type: 'gemma', use_bidirectional_attention: true }, 'UNSUPPORTED', 'later tokens'],
    [{ model_type: 'gpt2', add_cross_attention: true }, 'UNSUPPORTED', 'cross-attention'],
  ])('%j', (json, code, mention) => {
    const error = refused(json);
    expect(error.code).toBe(code);
    expect(error.message).toContain(mention);
  });

  it('names what a config cannot say when a processed model is written', () => {
    const config = readModelConfig(json('gptj/config.json'));
    const folded = { ...config, biases: { ...config.biases, qkv: true } };
    expect(() => writeModelConfig(folded)).toThrow(/biases\.qkv/);
  });
});
