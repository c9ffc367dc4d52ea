// The bundled model, ready to run: weights, tokenizer and both adapters.
import { type Adapter, loadModel, type Tokenizer, type Transformer } from '@safeinfer/transformer';
import { type PocketPaths, pocketPaths } from './pocket-paths.ts';
import { disposeAdapter, readBundledAdapter } from './read-bundled-adapter.ts';

export type PocketAdapter = keyof PocketPaths['adapters'];

export interface Pocket extends Disposable {
  readonly model: Transformer<Tokenizer>;
  readonly tokenizer: Tokenizer;
  /** Already added to the model: a row uses one by its name, `{ tokens, adapter: 'unsafe' }`. */
  readonly adapters: Readonly<Record<PocketAdapter, Adapter>>;
  readonly paths: PocketPaths;
  /** Frees the model and the adapters. */
  dispose(): void;
}

export interface LoadPocketOptions {
  readonly signal?: AbortSignal;
}

/**
 * Loads the bundled model. A backend must be active (`useBackend()` of @safeinfer/backend).
 * @throws SafeInferError as `loadModel` does, and BAD_FILE for a damaged adapter; nothing is leaked
 */
export async function loadPocket(options: LoadPocketOptions = {}): Promise<Pocket> {
  const paths = pocketPaths();
  const model = await loadModel({ path: paths.model, ...options });
  const loaded: Adapter[] = [];
  const dispose = (): void => {
    model.dispose();
    for (const adapter of loaded) disposeAdapter(adapter);
  };
  const read = async (name: PocketAdapter): Promise<Adapter> => {
    const adapter = await readBundledAdapter(paths.adapters[name], model.config);
    loaded.push(adapter);
    model.addAdapter(name, adapter);
    return adapter;
  };
  try {
    const unsafe = await read('unsafe');
    const safe = await read('safe');
    // The package ships tokenizer.json, so the model has one.
    const tokenizer = model.tokenizer as Tokenizer;
    return {
      model,
      tokenizer,
      adapters: { unsafe, safe },
      paths,
      dispose,
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}
