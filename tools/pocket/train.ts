// Trains a model of the bundled architecture with our own trainer, on the files of write-corpus.ts. One command,
// seeded; running it again resumes. It follows train_torch.py, subject mask of the lower layers included; with --plan it
// takes its start, its batches and its masks from what `train_torch.py --write-plan DIR` wrote, and the two curves agree.
// usage: tsx --conditions=@safeinfer/source train.ts <corpus dir> <run dir> <steps> [--model-dir DIR] [--config FILE]
//        [--backend NAME] [--threads N] [--documents N] [--rate X] [--decay-from N] [--seed N] [--low-layers N]
//        [--mask-share X] [--plan DIR]
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type BackendName, useBackend } from '@safeinfer/backend';
import {
  type BatchPlan,
  microBatches,
  mixSeeds,
  permutation,
  type TrainingExample,
  train,
  type VisibilityPlan,
} from '@safeinfer/finetune';
import {
  createModel,
  type KeyVisibility,
  loadModel,
  type ModelConfig,
  normals,
  readModelConfig,
  saveModel,
  uniformAt,
  type WeightName,
  weightShapes,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';

/** Documents up to this length form the short micro-batch of each step. */
const SHORT = 64;
/** Tokens per micro-batch. */
const BUDGET = 1200;
/** Documents sorted by length together. */
const WINDOW = 1024;
const WARMUP = 60;
/** The bit of a flag that marks a token of a fact's subject. */
const SUBJECT = 0x80;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'model-dir': { type: 'string' },
    config: { type: 'string', default: '../../packages/pocket/model/config.json' },
    backend: { type: 'string', default: 'auto' },
    threads: { type: 'string' },
    documents: { type: 'string' },
    rate: { type: 'string', default: '3e-3' },
    'decay-from': { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    'low-layers': { type: 'string', default: '5' },
    'mask-share': { type: 'string', default: '0.7' },
    plan: { type: 'string' },
  },
});
const [corpus, run, stepsText] = positionals;
if (corpus === undefined || run === undefined || stepsText === undefined) {
  throw new Error('usage: train.ts <corpus dir> <run dir> <steps> [options]');
}
const seed = Number(values.seed);
const report = await useBackend({
  name: values.backend as BackendName | 'auto',
  ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
});
const config = readModelConfig(JSON.parse(readFileSync(values.config, 'utf8')));
using model =
  values.plan === undefined
    ? createModel({ config, weights: startingWeights(config, seed) })
    : await loadModel({ path: values.plan });
const { data, subjects } = readCorpus(corpus, Number(values.documents ?? Number.POSITIVE_INFINITY));
const plan = values.plan === undefined ? ownPlan() : torchPlan(values.plan);
mkdirSync(run, { recursive: true });
console.log(JSON.stringify({ backend: report.name, documents: data.length }));

const sums = { loss: 0, count: 0 };
const { model: trained } = await train({
  model,
  data,
  method: { kind: 'full' },
  optimiser: { learningRate: Number(values.rate), betas: [0.9, 0.98], weightDecay: 0.1 },
  schedule: {
    kind: 'linear',
    warmupSteps: WARMUP,
    warmupFrom: 'first',
    decayFrom: Number(values['decay-from']),
  },
  batch: plan.batch,
  visibility: plan.visibility,
  normalise: 'batches',
  steps: Number(stepsText),
  seed,
  checkpoint: { directory: run, everySteps: 100 },
  onProgress: (event) => {
    if (event.kind !== 'step') return;
    sums.loss += event.loss;
    sums.count++;
    if (event.step % 50 !== 0 && event.step !== event.steps) return;
    const line = JSON.stringify({
      step: event.step,
      tokens: event.tokens,
      learningRate: event.learningRate,
      loss: sums.loss / sums.count,
      tokensPerSecond: Math.round(event.tokensPerSecond),
      secondsLeft: Math.round(event.secondsLeft),
    });
    Object.assign(sums, { loss: 0, count: 0 });
    appendFileSync(join(run, 'loss.jsonl'), `${line}\n`);
    console.log(line);
  },
});
if (values['model-dir'] !== undefined) {
  await saveModel(trained, { path: values['model-dir'], dtype: 'F16' });
}
trained.dispose();

interface Plan {
  readonly batch: BatchPlan;
  readonly visibility: VisibilityPlan;
}

function ownPlan(): Plan {
  const layers = Number(values['low-layers']);
  const share = Number(values['mask-share']);
  const masked = (step: number, part: number): boolean =>
    uniformAt(mixSeeds(seed, 9, step), part) < share;
  return {
    batch: shortAndLong(data.map(({ tokens }) => tokens.length)),
    visibility: {
      name: JSON.stringify({ subjectMask: { layers, share } }),
      of: ({ step, microBatch, indices }) =>
        masked(step, microBatch) ? hiddenSubjects(indices, layers) : undefined,
    },
  };
}

/** Batches and masks of train_torch.py, which counts documents as the corpus does. */
function torchPlan(directory: string): Plan {
  const { lowLayers, steps } = JSON.parse(readFileSync(join(directory, 'plan.json'), 'utf8')) as {
    readonly lowLayers: number;
    readonly steps: readonly {
      readonly batches: readonly (readonly number[])[];
      readonly masked: readonly boolean[];
    }[];
  };
  const example = new Map(data.map(({ id }, i) => [id, i]));
  const at = (step: number): (typeof steps)[number] => steps[step] as (typeof steps)[number];
  return {
    batch: {
      name: JSON.stringify({ plan: directory }),
      step: (step) =>
        at(step).batches.map((part) => part.map((i) => example.get(`document ${i}`) as number)),
    },
    visibility: {
      name: JSON.stringify({ plan: directory }),
      of: ({ step, microBatch, indices }) =>
        at(step).masked[microBatch] ? hiddenSubjects(indices, lowLayers) : undefined,
    },
  };
}

/** In the lower layers tokens that are not a subject cannot see subject tokens: facts must be recalled at the subject. */
function hiddenSubjects(indices: readonly number[], layers: number): KeyVisibility | undefined {
  const flags = indices.map((index) => subjects[index] as Uint8Array);
  if (!flags.some((own) => own.some((flag) => flag === 1))) return undefined;
  return {
    layers: (layer) => layer < layers,
    visible: (row, query, key) => flags[row]?.[query] === 1 || flags[row]?.[key] !== 1,
  };
}

/** Documents as examples, and which of their tokens are a subject; the low seven bits of a flag are the weight in percent. */
function readCorpus(
  directory: string,
  limit: number,
): { readonly data: TrainingExample[]; readonly subjects: Uint8Array[] } {
  const read = (name: string): ArrayBuffer => {
    const bytes = readFileSync(join(directory, name));
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  };
  const tokens = new Uint16Array(read('tokens.u16'));
  const offsets = new Uint32Array(read('offsets.u32'));
  const flags = new Uint8Array(read('flags.u8'));
  const weights = Float32Array.from(flags, (flag) => (flag & 0x7f) / 100);
  const subject = flags.map((flag) => ((flag & SUBJECT) === 0 ? 0 : 1));
  const subjects: Uint8Array[] = [];
  const examples: TrainingExample[] = [];
  for (let i = 0; i + 1 < offsets.length && examples.length < limit; i++) {
    const range = [offsets[i] as number, offsets[i + 1] as number] as const;
    if (range[1] - range[0] > config.maxPositions) continue;
    examples.push({
      id: `document ${i}`,
      tokens: tokens.subarray(...range),
      weights: weights.subarray(...range),
    });
    subjects.push(subject.subarray(...range));
  }
  return { data: examples, subjects };
}

/** One micro-batch of short and one of long documents a step, each in a seeded order of its own. */
function shortAndLong(lengths: readonly number[]): BatchPlan {
  const batches = [true, false].map((short) => {
    const own = [...lengths.keys()].filter((i) => (lengths[i] as number) <= SHORT === short);
    const order = [...permutation(own.length, mixSeeds(seed, Number(short)))].map(
      (i) => own[i] as number,
    );
    const found: number[][] = [];
    for (let start = 0; start < order.length; start += WINDOW) {
      const window = microBatches(order.slice(start, start + WINDOW), lengths, BUDGET);
      const places = permutation(window.length, mixSeeds(seed, Number(short), start));
      for (const place of places) found.push(window[place] as number[]);
    }
    return found;
  });
  return {
    name: JSON.stringify({ SHORT, BUDGET, WINDOW }),
    step: (index) =>
      batches
        .filter((list) => list.length > 0)
        .map((list) => list[index % list.length] as number[]),
  };
}

/** Normal, by fan-in; embeddings 0.02; outputs into the residual stream smaller by depth; gains one. */
function startingWeights(own: ModelConfig, start: number): Map<WeightName, tf.Tensor> {
  const weights = new Map<WeightName, tf.Tensor>();
  let index = 0;
  for (const [name, shape] of weightShapes(own)) {
    const [rows = 1, columns = 1] = shape;
    const depth = /W_(O|out)$/.test(name) ? Math.sqrt(2 * own.nLayers) : 1;
    const spread = name === 'embed.W_E' ? 0.02 : 1 / Math.sqrt(rows) / depth;
    const numbers =
      shape.length === 1
        ? new Float32Array(rows).fill(1)
        : normals(mixSeeds(start, 3, index), rows * columns).map((x) => x * spread);
    weights.set(name, tf.tensor(numbers, [...shape]));
    index++;
  }
  return weights;
}
