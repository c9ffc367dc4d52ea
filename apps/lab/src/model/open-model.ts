// Opens the model of an experiment and says exactly which one it is.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadPocket } from '@safeinfer/pocket';
import { loadModel, type Transformer } from '@safeinfer/transformer';

export interface OpenModel extends Disposable {
  /** What the experiment calls it. */
  readonly name: string;
  readonly directory: string;
  /** Over config, tokenizer and weight files: two results with the same hash are of the same model. */
  readonly sha256: string;
  readonly model: Transformer;
}

/** `pocket` is the bundled model with its adapters `unsafe` and `safe`; anything else is a directory or hub name. */
export async function openModel(options: {
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<OpenModel> {
  const { name } = options;
  const signal = options.signal ? { signal: options.signal } : {};
  if (name === 'pocket') {
    const pocket = await loadPocket(signal);
    return describe({ name, directory: pocket.paths.model, model: pocket.model, owner: pocket });
  }
  const model = await loadModel({ path: name, ...signal });
  return describe({ name, directory: name, model, owner: model });
}

async function describe(parts: {
  readonly name: string;
  readonly directory: string;
  readonly model: Transformer;
  readonly owner: Disposable;
}): Promise<OpenModel> {
  const { owner, ...facts } = parts;
  try {
    const sha256 = await hashDirectory(facts.directory);
    return { ...facts, sha256, [Symbol.dispose]: () => owner[Symbol.dispose]() };
  } catch (error) {
    owner[Symbol.dispose]();
    throw error;
  }
}

/** Files that decide what a model computes; a README beside them does not. */
const DECISIVE = /\.(safetensors|json|jinja|model)$/;

async function hashDirectory(directory: string): Promise<string> {
  const hash = createHash('sha256');
  const names = (await readdir(directory)).filter((name) => DECISIVE.test(name)).sort();
  for (const name of names) {
    hash.update(`${name}\n`);
    for await (const chunk of createReadStream(join(directory, name))) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
