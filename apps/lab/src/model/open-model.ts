// Opens the model of an experiment and says exactly which one it is.
import { loadPocket, pocketPaths } from '@safeinfer/pocket';
import { loadModel, resolveModel, type Transformer } from '@safeinfer/transformer';
import type { Store } from '../store/open-store.ts';
import { directoryStamp, hashFiles } from './hash-files.ts';

export interface ModelFacts {
  /** What the experiment calls it. */
  readonly name: string;
  readonly directory: string;
  /** Over config, tokenizer and weight files: two results with the same hash are of the same model. */
  readonly sha256: string;
}

export interface OpenModel extends ModelFacts, Disposable {
  readonly model: Transformer;
}

interface ModelOptions {
  readonly name: string;
  /** Remembers hashes of files that have not changed since: gigabytes are read once. */
  readonly store?: Store | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which model it is, without loading it. */
export async function modelFacts(options: ModelOptions): Promise<ModelFacts> {
  const { name, store } = options;
  const signal = options.signal ? { signal: options.signal } : {};
  const directory = name === 'pocket' ? pocketPaths().model : await resolveModel(name, signal);
  return { name, directory, sha256: await rememberedHash(directory, store) };
}

/** `pocket` is the bundled model with its adapters `unsafe` and `safe`; anything else is a directory or hub name. */
export async function openModel(options: ModelOptions): Promise<OpenModel> {
  const signal = options.signal ? { signal: options.signal } : {};
  const facts = await modelFacts(options);
  if (facts.name === 'pocket') {
    const pocket = await loadPocket(signal);
    return { ...facts, model: pocket.model, [Symbol.dispose]: () => pocket[Symbol.dispose]() };
  }
  const model = await loadModel({ path: facts.directory, ...signal });
  return { ...facts, model, [Symbol.dispose]: () => model[Symbol.dispose]() };
}

async function rememberedHash(directory: string, store: Store | undefined): Promise<string> {
  if (store === undefined) return hashFiles(directory);
  const stamp = await directoryStamp(directory);
  const known = store.recall(`files ${directory}`) as
    | { readonly stamp: string; readonly sha256: string }
    | undefined;
  if (known?.stamp === stamp) return known.sha256;
  const sha256 = await hashFiles(directory);
  store.remember(`files ${directory}`, { stamp, sha256 });
  return sha256;
}
