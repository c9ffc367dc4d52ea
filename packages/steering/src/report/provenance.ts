// Where a report comes from: everything that decides its numbers, and nothing that changes from run to run.
import type { Row, Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import manifest from '../../package.json' with { type: 'json' };
import { dataHash, modelFingerprint, planHash } from '../plan/fingerprint.ts';
import type { Recipe, SteeringPlan } from '../plan/steering-plan.ts';

export interface Provenance {
  /** Version of this package. */
  readonly steering: string;
  readonly tfjs: string;
  /** The tfjs backend the numbers were computed on. */
  readonly backend: string;
  readonly node: string;
  readonly model: string;
  /** sha256 over what the tokenizer makes of a fixed text, and of its chat template; absent without a tokenizer. */
  readonly tokenizer?: string;
  readonly template?: string;
  readonly plan: string;
  readonly recipe?: Recipe;
  readonly seed: number;
  readonly maxNewTokens: number;
  readonly refusalBy: 'prefix' | 'judge';
  readonly items: Readonly<Record<string, number>>;
  /** sha256 of each set's tokens (and answers). */
  readonly data: Readonly<Record<string, string>>;
  readonly settingsTried?: number;
  /** The command that makes this report again. */
  readonly command?: string;
}

/** Covers letters, digits, punctuation, white space and a few scripts: another vocabulary encodes it differently. */
const PROBE = 'The quick brown fox, 0123456789: "café" naïve\n\tЖук 東京 🙂 — <|end|>';

export async function provenanceOf(options: {
  readonly model: Transformer;
  readonly plan: SteeringPlan;
  readonly sets: Readonly<Record<string, readonly unknown[]>>;
  readonly seed: number;
  readonly maxNewTokens: number;
  readonly refusalBy: 'prefix' | 'judge';
  readonly settingsTried?: number | undefined;
  readonly command?: string | undefined;
}): Promise<Provenance> {
  const { model, plan, sets, seed, maxNewTokens, refusalBy, settingsTried, command } = options;
  const { tokenizer } = model;
  const template = (tokenizer as { readonly chatTemplate?: unknown } | undefined)?.chatTemplate;
  const counts = Object.entries(sets).map(([name, items]) => [name, items.length] as const);
  return {
    steering: manifest.version,
    tfjs: tf.version_core,
    backend: tf.getBackend(),
    node: process.versions.node,
    model: await modelFingerprint(model),
    ...(tokenizer ? { tokenizer: dataHash([...tokenizer.encode(PROBE)]) } : {}),
    ...(template === undefined
      ? {}
      : { template: dataHash(template instanceof Map ? [...template] : template) }),
    plan: planHash(plan),
    ...(plan.recipe ? { recipe: plan.recipe } : {}),
    seed,
    maxNewTokens,
    refusalBy,
    items: Object.fromEntries(counts),
    data: Object.fromEntries(
      Object.entries(sets)
        .filter(([, items]) => items.length > 0)
        .map(([name, items]) => [name, dataHash(items.map(content))]),
    ),
    ...(settingsTried === undefined ? {} : { settingsTried }),
    ...(command === undefined ? {} : { command }),
  };
}

/** What of an item decides its numbers; a row's caches and interventions are not data. */
function content(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
  const { row, tokens, adapter, ...rest } = item as { readonly row?: Row } & Partial<Row>;
  if (row) return { ...rest, row: content(row) };
  return { tokens: tokens ?? null, adapter: adapter ?? null };
}
