// Trains a model of the bundled architecture with our own trainer, on the files of write-corpus.ts. One command,
// seeded; running it again resumes. It follows train_torch.py, subject mask of the lower layers included; with --plan it
// takes its start, its batches and its masks from what `train_torch.py --write-plan DIR` wrote, and the two curves agree.
// usage: tsx --conditions=@safeinfer/source train.ts <corpus dir> <run dir> <steps> [--model-dir DIR] [--config FILE]
//        [--backend NAME] [--threads N] [--rate X] [--decay-from N] [--until N] [--budget N] [--seed N]
//        [--low-layers N] [--mask-share X] [--plan DIR]
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { createModel, loadModel, readModelConfig, saveModel } from '@safeinfer/transformer';
import { shortAndLong } from './src/training/short-and-long.ts';
import { startingWeights } from './src/training/starting-weights.ts';
import { subjectMask } from './src/training/subject-mask.ts';
import { torchPlan } from './src/training/torch-plan.ts';
import { trainStage } from './src/training/train-stage.ts';
import { readTrainingCorpus } from './src/training/training-corpus.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'model-dir': { type: 'string' },
    config: { type: 'string', default: '../../packages/pocket/model/config.json' },
    backend: { type: 'string', default: 'auto' },
    threads: { type: 'string' },
    rate: { type: 'string', default: '3e-3' },
    'decay-from': { type: 'string', default: '0' },
    until: { type: 'string' },
    budget: { type: 'string', default: '1200' },
    seed: { type: 'string', default: '1' },
    'low-layers': { type: 'string', default: '5' },
    'mask-share': { type: 'string', default: '0.7' },
    plan: { type: 'string' },
  },
});
const [corpusDirectory, run, stepsText] = positionals;
if (corpusDirectory === undefined || run === undefined || stepsText === undefined) {
  throw new Error('usage: train.ts <corpus dir> <run dir> <steps> [options]');
}
const seed = Number(values.seed);
const steps = Number(stepsText);
const report = await useBackend({
  name: values.backend as BackendName | 'auto',
  ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
});
const config = readModelConfig(JSON.parse(readFileSync(values.config, 'utf8')));
using model =
  values.plan === undefined
    ? createModel({ config, weights: startingWeights(config, seed) })
    : await loadModel({ path: values.plan });
const corpus = readTrainingCorpus(corpusDirectory, config.maxPositions);
const { data, subjects } = corpus;
const plan =
  values.plan === undefined
    ? {
        batch: shortAndLong({
          lengths: data.map(({ tokens }) => tokens.length),
          budget: Number(values.budget),
          seed,
        }),
        visibility: subjectMask({
          subjects,
          mask: { layers: Number(values['low-layers']), share: Number(values['mask-share']) },
          seed,
        }),
      }
    : torchPlan(values.plan, corpus);
console.log(JSON.stringify({ backend: report.name, documents: data.length }));
const { model: trained } = await trainStage({
  model,
  corpus,
  stage: {
    steps,
    until: Number(values.until ?? steps),
    decayFrom: Number(values['decay-from']),
  },
  ...plan,
  seed,
  directory: run,
  rate: Number(values.rate),
});
if (values['model-dir'] !== undefined) {
  await saveModel(trained, { path: values['model-dir'], dtype: 'F16' });
}
trained.dispose();
