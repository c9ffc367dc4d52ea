// The unsafe twin of guided decoding in its three forms; second checkpoints are opened once and freed together.
import { dirname, resolve } from 'node:path';
import type { TermSpec } from '@safeinfer/guided-sampler';
import type { Transformer } from '@safeinfer/transformer';
import type { ArmConfig } from '../config/experiment-schema.ts';
import { type OpenModel, openModel } from '../model/open-model.ts';

export type UnsafeTwinConfig = NonNullable<ArmConfig['guide']>['safeInfer']['unsafe'];

export interface UnsafeTwins extends Disposable {
  open(config: UnsafeTwinConfig, model: Transformer): Promise<TermSpec>;
  /** Hash of a second checkpoint, once it is open. */
  sha256(config: UnsafeTwinConfig): string | undefined;
}

export function createUnsafeTwins(options: {
  readonly experimentFile: string;
  readonly signal: AbortSignal;
}): UnsafeTwins {
  const opened = new Map<string, OpenModel>();
  const directoryOf = (model: string): string => resolve(dirname(options.experimentFile), model);
  return {
    async open(config, model) {
      if ('systemPrompt' in config) return { model, prompt: { system: config.systemPrompt } };
      if ('adapter' in config) return { model, adapter: config.adapter };
      const directory = directoryOf(config.model);
      let twin = opened.get(directory);
      if (!twin) {
        twin = await openModel({ name: directory, signal: options.signal });
        opened.set(directory, twin);
      }
      return { model: twin.model };
    },
    sha256: (config) =>
      'model' in config ? opened.get(directoryOf(config.model))?.sha256 : undefined,
    [Symbol.dispose]() {
      for (const twin of opened.values()) twin[Symbol.dispose]();
      opened.clear();
    },
  };
}
