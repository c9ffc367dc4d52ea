// A fixture folder: a tiny checkpoint as Hugging Face saves it, and what Hugging Face computes with it.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../../src/config/model-config.ts';
import type { WeightName } from '../../src/config/weight-name.ts';
import { type CanonicalWeight, readWeights } from '../../src/families/read-weights.ts';
import { readModelConfig } from '../../src/families/registry.ts';
import { createModel } from '../../src/model/create-model.ts';
import type { Transformer } from '../../src/model/transformer.ts';
import { openCheckpoint } from '../../src/safetensors/checkpoint.ts';

const root = new URL('../../fixtures/', import.meta.url);

/** `golden.json`; what each key holds is in fixtures/README.md. */
export interface GoldenFacts {
  readonly prompts: Readonly<Record<string, readonly number[]>>;
  readonly greedy: Readonly<Record<string, readonly number[]>>;
  readonly batch?: {
    readonly left: { readonly rows: readonly string[] };
    readonly right: { readonly rows: readonly string[] };
  };
  readonly decode?: { readonly steps?: number; readonly max_abs_vs_full?: number };
  readonly gradient?: { readonly a: number; readonly b: number };
  readonly deep_layer?: number;
  readonly negative_controls?: Readonly<Record<string, number>>;
  readonly noise_floor_fp32_vs_fp64?: number;
}

export interface Fixture {
  /** Folder, with the variant after a colon where there is one. */
  readonly name: string;
  readonly config: ModelConfig;
  readonly weights: ReadonlyMap<WeightName, CanonicalWeight>;
  readonly facts: GoldenFacts;
  readonly tensors: ReadonlyMap<string, CanonicalWeight>;
}

/** Every fixture that has golden values: folders, their variants, and `:legacy` configs. */
export function fixtureNames(): string[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) =>
      readdirSync(new URL(`${name}/`, root))
        .map((file) => /^golden\.(?:(.+)\.)?json$/.exec(file))
        .filter((match) => match !== null)
        .map((match) => (match[1] === undefined ? name : `${name}:${match[1]}`)),
    )
    .sort();
}

/** Reads a fixture; `name` is a folder or `folder:variant`. */
export async function readFixture(name: string): Promise<Fixture> {
  const [folder = '', variant] = name.split(':');
  const suffix = variant === undefined ? '' : `.${variant}`;
  const path = (file: string): URL => new URL(`${folder}/${file}`, root);
  const json = (file: string): unknown => JSON.parse(readFileSync(path(file), 'utf8'));
  const config = readModelConfig(json(`config${suffix}.json`));
  await using checkpoint = await openCheckpoint(fileURLToPath(new URL(folder, root)));
  const weights = await readWeights({ checkpoint, config });
  await using golden = await openCheckpoint(fileURLToPath(path(`golden${suffix}.safetensors`)));
  const tensors = new Map<string, CanonicalWeight>();
  for (const [key, { shape }] of golden.tensors) {
    tensors.set(key, { shape, data: (await golden.read(key)).data as Float32Array });
  }
  const facts = json(`golden${suffix}.json`) as GoldenFacts;
  return { name, config, weights, facts, tensors };
}

/** Makes the model on the active backend; the caller disposes it. */
export function fixtureModel(fixture: Pick<Fixture, 'config' | 'weights'>): Transformer {
  const weights = new Map<WeightName, tf.Tensor>();
  for (const [name, { shape, data }] of fixture.weights) {
    weights.set(name, tf.tensor(data, [...shape]));
  }
  return createModel({ config: fixture.config, weights });
}
