// Where the bundled files lie, the same for the sources and for the published package.
import { fileURLToPath } from 'node:url';

export interface PocketPaths {
  /** Directory in Hugging Face layout: config.json, model.safetensors, tokenizer.json, tokenizer_config.json. */
  readonly model: string;
  /** Directories in PEFT layout: adapter_config.json, adapter_model.safetensors. */
  readonly adapters: { readonly unsafe: string; readonly safe: string };
  /** Directory of the JSONL files. */
  readonly data: string;
}

/** Absolute paths of the bundled model, its adapters and its data. */
export function pocketPaths(): PocketPaths {
  // `src/` and `dist/` are both one level below the package root.
  const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
  return {
    model: at('model'),
    adapters: { unsafe: at('adapters/unsafe'), safe: at('adapters/safe') },
    data: at('data'),
  };
}
