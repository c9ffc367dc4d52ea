// Published outputs of real models, for users who have the weights: SAFEINFER_MODELS names a folder that
// holds them as `org/name` or `org--name` in Hugging Face layout. What is not there is skipped by name.
import { existsSync, readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { analysisPoints } from '../src/analysis/captured-row.ts';
import { logitLens } from '../src/analysis/logit-lens.ts';
import type { HookName } from '../src/hooks/hook-name.ts';
import { loadModel } from '../src/model/load-model.ts';
import type { Transformer } from '../src/model/transformer.ts';
import { onBackend } from './on-backend.ts';
import { greedy } from './parity/differences.ts';
import { hasSharedModel, sharedModel } from './shared-data.ts';

onBackend('wasm');

const folder = process.env['SAFEINFER_MODELS'];
const references = sharedModel('reference-outputs');
const ready = folder !== undefined && hasSharedModel('reference-outputs');

function directoryOf(model: string): string | undefined {
  return [model, model.replace('/', '--')]
    .map((name) => `${folder}/${name}`)
    .find((path) => existsSync(`${path}/config.json`));
}

function json<T>(file: string): T {
  return JSON.parse(readFileSync(`${references}/${file}`, 'utf8')) as T;
}

/** A suite that runs when the folder has the model. */
function withModel(name: string, define: (load: () => Promise<Transformer>) => void): void {
  const directory = ready ? directoryOf(name) : undefined;
  describe.runIf(directory !== undefined)(`${name} (needs SAFEINFER_MODELS/${name})`, () => {
    define(async () => loadModel({ path: directory ?? '', offline: true }));
  });
}

/** Trained models have outliers: fp32 on another engine agrees to 1e-4 of the logit's size. */
const near = (ours: number, theirs: number): void =>
  expect(Math.abs(ours - theirs)).toBeLessThan(1e-3 + 1e-4 * Math.abs(theirs));

withModel('openai-community/gpt2', (load) => {
  it('gives the logits and attention maps of five prompts', async () => {
    const { examples } = json<{
      readonly examples: readonly {
        readonly token_ids: number[];
        readonly logits_file: string;
        readonly attention_softmax: readonly (readonly (readonly (readonly number[])[])[])[];
      }[];
    }>('gpt2-124M-transformer-explainer/examples.json');
    using model = await load();
    for (const { token_ids: tokens, logits_file: file, attention_softmax: maps } of examples) {
      const bytes = readFileSync(`${references}/gpt2-124M-transformer-explainer/${file}`);
      const theirs = new Float32Array(new Uint8Array(bytes).buffer);
      const names = maps.map((_, layer): HookName => `blocks.${layer}.attn.hook_pattern`);
      using result = model.forward([{ tokens }], { capture: names });
      const ours = result.lastLogits().dataSync();
      for (const [i, value] of theirs.entries()) near(ours[i] as number, value);
      for (const [layer, name] of names.entries()) {
        const pattern = result.captured(0, name).arraySync() as number[][][];
        expect(
          Math.max(
            ...pattern.flatMap((head, h) =>
              head.flatMap((row, q) =>
                row.map((p, k) => Math.abs(p - (maps[layer]?.[h]?.[q]?.[k] ?? Number.NaN))),
              ),
            ),
          ),
        ).toBeLessThan(1e-4);
      }
    }
  });

  it('continues as transformers does', async () => {
    const { entries } = json<{
      readonly entries: readonly {
        readonly model: string;
        readonly input_ids: number[];
        readonly output_ids: number[];
      }[];
    }>('known-values.json');
    const entry = entries.find(({ model }) => model === 'openai-community/gpt2');
    if (entry === undefined) throw new Error('known-values.json has no gpt2 entry');
    using model = await load();
    const expected = entry.output_ids.slice(entry.input_ids.length);
    expect(await greedy(model, entry.input_ids, expected.length)).toEqual(expected);
  });
});

withModel('EleutherAI/gpt-j-6B', (load) => {
  it('continues as transformers does', async () => {
    const { entries } = json<{
      readonly entries: readonly {
        readonly model: string;
        readonly input_ids: number[];
        readonly output_ids: number[];
      }[];
    }>('known-values.json');
    const entry = entries.find(({ model }) => model === 'EleutherAI/gpt-j-6B');
    if (entry === undefined) throw new Error('known-values.json has no gpt-j entry');
    using model = await load();
    const expected = entry.output_ids.slice(entry.input_ids.length);
    expect(await greedy(model, entry.input_ids, expected.length)).toEqual(expected);
  });
});

withModel('EleutherAI/pythia-70m', (load) => {
  it('has the published loss on "Hello world!"', async () => {
    using model = await load();
    // The reference prepends the end-of-text token.
    const tokens = [0, ...(model.tokenizer?.encode('Hello world!') ?? [])];
    using result = model.forward([{ tokens }], { logits: 'all' });
    const loss = tf.tidy(() => {
      const log = tf.logSoftmax(tf.slice(result.logits(0), [0, 0], [tokens.length - 1, -1]));
      const picked = tf.oneHot(tf.tensor1d(tokens.slice(1), 'int32'), model.config.vocabSize);
      return -(tf.mean(tf.sum(tf.mul(log, picked), -1)).dataSync()[0] as number);
    });
    expect(Math.abs(loss - 4.659344673156738)).toBeLessThan(1e-3);
  });
});

withModel('HuggingFaceTB/SmolLM2-135M-Instruct', (load) => {
  it('gives the ten best logits of every prompt', async () => {
    const { prompts } = json<{
      readonly prompts: readonly {
        readonly input_ids: number[];
        readonly last_logits_top10_indices: number[];
        readonly last_logits_top10_values: number[];
      }[];
    }>('smollm2-135m-instruct.reference.json');
    using model = await load();
    for (const prompt of prompts) {
      using result = model.forward([{ tokens: prompt.input_ids }]);
      const logits = result.lastLogits().dataSync();
      for (const [i, token] of prompt.last_logits_top10_indices.entries()) {
        near(logits[token] as number, prompt.last_logits_top10_values[i] as number);
      }
    }
  });
});

withModel('Xenova/llama2.c-stories110M', (load) => {
  it('gives the published logit lens at every position and layer', async () => {
    const { prompts, layers } = json<{
      readonly layers: number[];
      readonly prompts: readonly {
        readonly token_ids: number[];
        readonly logit: readonly (readonly {
          readonly ids: number[];
          readonly scores: number[];
        }[])[];
      }[];
    }>('jlens-stories110M/fixtures.json');
    using model = await load();
    for (const prompt of prompts) {
      using result = model.forward([{ tokens: prompt.token_ids }], {
        capture: analysisPoints(model),
        logits: 'none',
      });
      using lens = logitLens({ model, result });
      for (const [i, layer] of layers.entries()) {
        // The output of block l is the stream that block l + 1 reads.
        const table = tf.tidy(() =>
          tf.slice(lens.logits, [layer + 1, 0, 0], [1, -1, -1]).dataSync(),
        );
        for (const [position, { ids, scores }] of (prompt.logit[i] ?? []).entries()) {
          for (const [rank, token] of ids.entries()) {
            near(
              table[position * model.config.vocabSize + token] as number,
              scores[rank] as number,
            );
          }
        }
      }
    }
  });
});

/** Half precision on a GPU: ten greedy tokens and their log-probabilities within 0.05. */
const runs = ready
  ? json<{
      readonly runs: Readonly<Record<string, { readonly model: string; readonly prompt: string }>>;
    }>('tgi-snapshots/PROMPTS.json').runs
  : {};
for (const [file, { model: name, prompt }] of Object.entries(runs)) {
  withModel(name, (load) => {
    it(`assigns the log-probabilities of ${file}`, async () => {
      const { details } = json<{
        readonly details: {
          readonly tokens: readonly { readonly id: number; readonly logprob: number }[];
        };
      }>(`tgi-snapshots/${file}`);
      using model = await load();
      const start = model.tokenizer?.encode(prompt) ?? [];
      const ids = details.tokens.map(({ id }) => id);
      using result = model.forward([{ tokens: [...start, ...ids] }], { logits: 'all' });
      const log = tf.tidy(() => tf.logSoftmax(result.logits(0)).dataSync());
      details.tokens.forEach(({ id, logprob }, i) => {
        const ours = log[(start.length + i - 1) * model.config.vocabSize + id] as number;
        expect(Math.abs(ours - logprob)).toBeLessThan(0.05);
      });
    });
  });
}

describe.runIf(hasSharedModel('tiny-random-gpt2-hf'))('tiny-random-gpt2, on ONNX Runtime', () => {
  it('gives its logits and greedy ids', async () => {
    const golden = JSON.parse(
      readFileSync(`${sharedModel('tiny-random-gpt2-hf')}/reference.json`, 'utf8'),
    ) as {
      readonly input_ids: number[][];
      readonly greedy_ids: number[][];
      readonly prompt_logits_stride: number;
      readonly prompt_logits_every_200th: number[][][];
      readonly after_one_generated_token_logits_every_200th: number[][];
    };
    using model = await loadModel({ path: sharedModel('tiny-random-gpt2-hf'), offline: true });
    // Its padding is attended to like any token, so rows are plain.
    for (const [row, tokens] of golden.input_ids.entries()) {
      using result = model.forward([{ tokens }], { logits: 'all' });
      const logits = result.logits(0).arraySync();
      const expected = golden.prompt_logits_every_200th[row] ?? [];
      for (const [position, values] of expected.entries()) {
        for (const [i, value] of values.entries()) {
          const ours = logits[position]?.[i * golden.prompt_logits_stride] ?? Number.NaN;
          expect(Math.abs(ours - value)).toBeLessThan(1e-6);
        }
      }
      const continuation = golden.greedy_ids[row]?.slice(tokens.length) ?? [];
      expect(await greedy(model, tokens, continuation.length)).toEqual(continuation);
    }
  });
});

describe.runIf(hasSharedModel('stories260K-hf'))('stories260K, inside', () => {
  it('gives residual vectors, losses and 40 greedy ids of every prompt', async () => {
    interface Prompt extends Readonly<Record<string, unknown>> {
      readonly input_ids: number[];
      readonly greedy_ids: number[];
      readonly argmax_per_position: number[];
    }
    const { prompts } = JSON.parse(
      readFileSync(`${sharedModel('stories260K-hf')}/reference.json`, 'utf8'),
    ) as { readonly prompts: readonly Prompt[] };
    using model = await loadModel({ path: sharedModel('stories260K-hf'), offline: true });
    const names = Array.from(
      { length: model.config.nLayers },
      (_, layer): HookName => `blocks.${layer}.hook_resid_post`,
    );
    for (const prompt of prompts) {
      const { input_ids: tokens, greedy_ids: ids } = prompt;
      using result = model.forward([{ tokens }], { capture: names, logits: 'all' });
      for (const [layer, name] of names.entries()) {
        const expected = prompt[`resid_post.${layer}.last_token`] as number[];
        const whole = result.captured(0, name) as tf.Tensor2D;
        const ours = whole.arraySync().at(-1) ?? [];
        const worst = Math.max(
          ...expected.map((value, i) => Math.abs(value - (ours[i] ?? Number.NaN))),
        );
        expect(worst).toBeLessThan(5e-5);
      }
      const best = tf.tidy(() => [...tf.argMax(result.logits(0), 1).dataSync()]);
      expect(best).toEqual(prompt.argmax_per_position);
      expect(await greedy(model, tokens, ids.length - tokens.length)).toEqual(
        ids.slice(tokens.length),
      );
    }
  });
});
