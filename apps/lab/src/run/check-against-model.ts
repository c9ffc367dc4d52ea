// What can only be checked once the model is open, before any of it runs.
import { existsSync } from 'node:fs';
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { besideExperiment } from '../arms/arm-files.ts';
import { guideSources } from '../arms/guide-arm.ts';
import type { Experiment } from '../config/experiment-schema.ts';

/** Of arms; edits have `checkEdits`. @throws BAD_ARGUMENT or NOT_FOUND naming the arm. */
export function checkAgainstModel(options: {
  readonly experiment: Experiment;
  readonly experimentFile: string;
  readonly model: Transformer;
}): void {
  const { experiment, experimentFile, model } = options;
  const { nLayers } = model.config;
  const checkLayer = (what: string, layer: number | undefined): void => {
    if (layer === undefined || layer < nLayers) return;
    throw new SafeInferError(
      `${what}: layer ${layer} does not exist, the model has ${nLayers} blocks`,
      { code: 'BAD_ARGUMENT', hint: `name a layer between 0 and ${nLayers - 1}` },
    );
  };
  for (const { name, steer, guide } of experiment.arms) {
    checkLayer(`arm "${name}"`, steer?.safetyAmplification?.layer);
    checkLayer(`arm "${name}"`, steer?.vector?.layer);
    for (const { adapter, model: other } of guide ? guideSources(guide) : []) {
      if (adapter === undefined || other !== undefined || model.adapters.has(adapter)) continue;
      if (existsSync(besideExperiment(adapter, experimentFile))) continue;
      throw new SafeInferError(`arm "${name}": the model has no adapter "${adapter}"`, {
        code: 'NOT_FOUND',
        hint: `give a directory, or one of the loaded adapters: ${[...model.adapters.keys()].join(', ') || 'none'}`,
      });
    }
  }
  if (model.tokenizer) return;
  throw new SafeInferError('the model directory has no tokenizer.json', {
    code: 'BAD_TOKENIZER',
    hint: 'put the tokenizer of the checkpoint beside its weights: benchmarks ask in text',
  });
}
