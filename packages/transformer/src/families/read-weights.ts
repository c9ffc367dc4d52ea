// Finds every weight of a config in a checkpoint and brings it into canonical form, one tensor at a time.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { ModelConfig } from '../config/model-config.ts';
import type { WeightName } from '../config/weight-name.ts';
import type { FamilyModules } from './family.ts';
import { familyOf } from './registry.ts';
import { decodePart } from './tensor-layout.ts';
import { type TableEntry, weightTable } from './weight-table.ts';

/** What is needed of an open checkpoint. */
export interface WeightSource {
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  read(
    name: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<{ readonly data: Float32Array | Int32Array }>;
}

export interface CanonicalWeight {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface ReadWeightsOptions {
  readonly checkpoint: WeightSource;
  readonly config: ModelConfig;
  /** What to do with tensors that no weight needs; default 'error', since they may carry part of the model. */
  readonly unexpected?: 'error' | 'ignore';
  readonly signal?: AbortSignal;
}

/** All weights at once; see `streamWeights`. */
export async function readWeights(
  options: ReadWeightsOptions,
): Promise<Map<WeightName, CanonicalWeight>> {
  const weights = new Map<WeightName, CanonicalWeight>();
  for await (const [name, weight] of streamWeights(options)) weights.set(name, weight);
  return weights;
}

/**
 * Yields every weight of the config, checking the whole checkpoint before the first read. A fused
 * tensor is read once and its parts follow each other, so memory stays near one tensor.
 * @throws SafeInferError `BAD_WEIGHTS` naming every missing, misshapen and unexpected tensor;
 *   `ABORTED`, and what the checkpoint's reader throws
 */
export async function* streamWeights(
  options: ReadWeightsOptions,
): AsyncGenerator<[WeightName, CanonicalWeight], void, undefined> {
  const { checkpoint, config, signal } = options;
  const plan = planReads(options);
  for (const { entry, tensor } of plan) {
    throwIfAborted(signal);
    const { data } = await checkpoint.read(tensor, signal === undefined ? {} : { signal });
    if (!(data instanceof Float32Array)) {
      throw badWeights(config, [`${tensor} holds integers, not floats`]);
    }
    for (const part of entry.parts) {
      yield [part.name, { shape: part.shape, data: decodePart(entry, part, data) }];
    }
  }
}

interface PlannedRead {
  readonly entry: TableEntry;
  readonly tensor: string;
}

function planReads({
  checkpoint,
  config,
  unexpected = 'error',
}: ReadWeightsOptions): PlannedRead[] {
  const { modules } = familyOf(config);
  const { tensors } = checkpoint;
  const table = weightTable(config);
  const root = rootOf(modules, tensors);
  const problems: string[] = [];
  const used = new Set<string>();
  const plan: PlannedRead[] = [];
  for (const entry of table) {
    const names = entry.fullNames ?? [root + entry.path];
    const tensor = names.find((name) => tensors.has(name));
    if (tensor === undefined) {
      problems.push(`${names[0]} ${shape(entry.shape)} is missing`);
      continue;
    }
    used.add(tensor);
    const found = tensors.get(tensor)?.shape ?? [];
    if (found.join() === entry.shape.join()) plan.push({ entry, tensor });
    else problems.push(`${tensor} has shape ${shape(found)} for ${shape(entry.shape)}`);
  }
  if (unexpected === 'error') {
    for (const name of unexpectedNames({ modules, tensors, config, used })) {
      problems.push(`${name} is unexpected`);
    }
  }
  if (problems.length > 0) throw badWeights(config, problems);
  return plan;
}

/** The prefix under which this checkpoint keeps the body. */
function rootOf(modules: FamilyModules, tensors: WeightSource['tensors']): string {
  const root = modules.roots.find((prefix) => tensors.has(`${prefix}${modules.embed}.weight`));
  return root ?? modules.roots[0] ?? '';
}

function unexpectedNames(options: {
  readonly modules: FamilyModules;
  readonly tensors: WeightSource['tensors'];
  readonly config: ModelConfig;
  readonly used: ReadonlySet<string>;
}): string[] {
  const { modules, tensors, config, used } = options;
  // A tied model reads its embedding again, whatever an unembedding in the file says.
  const tied = new Set(config.tiedEmbeddings ? modules.heads.map((path) => `${path}.weight`) : []);
  return [...tensors.keys()].filter(
    (name) =>
      !used.has(name) && !tied.has(name) && !modules.ignored.some((buffer) => buffer.test(name)),
  );
}

function badWeights(config: ModelConfig, problems: readonly string[]): SafeInferError {
  return new SafeInferError(
    `the checkpoint does not fit its config (${config.family}): ${problems.join('; ')}`,
    {
      code: 'BAD_WEIGHTS',
      hint:
        'config.json and weights must come from the same revision; a classifier, a quantised model ' +
        'or an adapter is not a causal language model checkpoint',
    },
  );
}

function shape(sizes: readonly number[]): string {
  return `[${sizes.join(', ')}]`;
}
