// Second distributions of guided decoding: checkpoints and adapters are opened once and freed together.
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { readAdapter } from '@safeinfer/finetune';
import type { TermSpec } from '@safeinfer/guided-sampler';
import type { Transformer } from '@safeinfer/transformer';
import type { TermSource } from '../config/source-schema.ts';
import { hasChatTemplate } from '../model/has-chat-template.ts';
import { hashFiles } from '../model/hash-files.ts';
import { modelFacts, type OpenModel, openModel } from '../model/open-model.ts';
import type { Store } from '../store/open-store.ts';

export interface TermSources extends Disposable {
  /** The term of `source` beside the arm's `model`. */
  open(source: TermSource, model: Transformer): Promise<TermSpec>;
  /** What of the source is not in the experiment file: hashes of checkpoints and adapters. */
  identity(source: TermSource): Promise<unknown>;
}

export function createTermSources(options: {
  /** Paths of sources are relative to this file. */
  readonly experimentFile: string;
  readonly store?: Store | undefined;
  readonly signal: AbortSignal;
}): TermSources {
  const { store, signal } = options;
  const models = new Map<string, OpenModel>();
  const adapters: Disposable[] = [];
  const added = new WeakMap<Transformer, Set<string>>();
  const local = (path: string): string => resolve(dirname(options.experimentFile), path);
  /** A path when there is such a directory, else a hub name or the bundled model. */
  const modelName = (name: string): string => (existsSync(local(name)) ? local(name) : name);
  const isAdapterPath = (adapter: string): boolean => existsSync(local(adapter));

  async function modelOf(name: string): Promise<OpenModel> {
    const key = modelName(name);
    const known = models.get(key);
    if (known) return known;
    const opened = await openModel({ name: key, store, signal });
    models.set(key, opened);
    return opened;
  }

  async function adapterOf(adapter: string, model: Transformer): Promise<string> {
    if (model.adapters.has(adapter) || !isAdapterPath(adapter)) return adapter;
    const path = local(adapter);
    const known = added.get(model) ?? new Set();
    added.set(model, known);
    if (known.has(path)) return path;
    const loaded = await readAdapter({ path, model, signal });
    model.addAdapter(path, loaded);
    adapters.push({
      [Symbol.dispose]: () => {
        if (model.adapters.has(path)) model.removeAdapter(path);
        loaded.dispose();
      },
    });
    known.add(path);
    return path;
  }

  return {
    async open(source, own) {
      const { systemPrompt, prefix } = source;
      const model = source.model === undefined ? own : (await modelOf(source.model)).model;
      const adapter =
        source.adapter === undefined ? undefined : await adapterOf(source.adapter, model);
      const chat = hasChatTemplate(model);
      return {
        model,
        ...(adapter === undefined ? {} : { adapter }),
        // A model without a chat template reads a system prompt as text before the question.
        ...(systemPrompt !== undefined && chat ? { prompt: { system: systemPrompt } } : {}),
        ...(systemPrompt !== undefined && !chat
          ? { prompt: { prefix: `${systemPrompt}\n\n` } }
          : {}),
        ...(prefix === undefined ? {} : { prompt: { prefix } }),
      };
    },
    async identity(source) {
      const { model, adapter } = source;
      return {
        ...(model === undefined
          ? {}
          : { model: (await modelFacts({ name: modelName(model), store, signal })).sha256 }),
        ...(adapter !== undefined && isAdapterPath(adapter)
          ? { adapter: await hashFiles(local(adapter)) }
          : {}),
      };
    },
    [Symbol.dispose]() {
      for (const adapter of adapters) adapter[Symbol.dispose]();
      for (const opened of models.values()) opened[Symbol.dispose]();
      adapters.length = 0;
      models.clear();
    },
  };
}
