// Trains the bundled model from nothing with our own trainer: every stage of a recipe, one after the other. One command,
// seeded; stopped at any moment it goes on from its last checkpoint when it is run again.
// usage: tsx --conditions=@safeinfer/source train-recipe.ts <work dir> [--recipe FILE] [--config FILE] [--model-dir DIR]
//        [--backend NAME] [--threads N]
// The work dir holds the corpora, a checkpoint and a log per stage, and the model unless --model-dir names one.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { checkpointPath } from '@safeinfer/finetune';
import { createModel, readModelConfig, saveModel } from '@safeinfer/transformer';
import { writeCorpusFiles } from './src/corpus-files.ts';
import type { CorpusMixName } from './src/corpus-mix.ts';
import { shortAndLong } from './src/training/short-and-long.ts';
import { startingWeights } from './src/training/starting-weights.ts';
import { subjectMask } from './src/training/subject-mask.ts';
import { type Stage, stageDirectory, trainStage } from './src/training/train-stage.ts';
import { readTrainingCorpus } from './src/training/training-corpus.ts';

interface Recipe {
  readonly seed: number;
  readonly stages: readonly (Stage & {
    readonly mix: CorpusMixName;
    readonly documents: number;
  })[];
  /** Tokens per micro-batch, padding included. */
  readonly budget?: number;
  /** Steps between checkpoints. */
  readonly every?: number;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    recipe: { type: 'string', default: here('recipe.json') },
    config: { type: 'string', default: here('../../packages/pocket/model/config.json') },
    'model-dir': { type: 'string' },
    backend: { type: 'string', default: 'ort' },
    threads: { type: 'string' },
  },
});
const [work] = positionals;
if (work === undefined) throw new Error('usage: train-recipe.ts <work dir> [options]');
const recipe = JSON.parse(readFileSync(values.recipe, 'utf8')) as Recipe;
const { seed, stages, budget = 1200, every } = recipe;
const report = await useBackend({
  name: values.backend as BackendName | 'auto',
  ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
});
const config = readModelConfig(JSON.parse(readFileSync(values.config, 'utf8')));
using model = createModel({ config, weights: startingWeights(config, seed) });
const run = join(work, 'ours');

for (const [index, stage] of stages.entries()) {
  const last = index === stages.length - 1;
  // A stage whose successor has a checkpoint is done, and its corpus need not be read again.
  if (!last && existsSync(checkpointPath(stageDirectory(run, index + 1)))) continue;
  const { mix, documents } = stage;
  const directory = join(work, `${mix}-${documents}`);
  if (!existsSync(join(directory, 'corpus.json'))) writeCorpusFiles({ directory, mix, documents });
  const corpus = readTrainingCorpus(directory, config.maxPositions);
  const { data, subjects } = corpus;
  console.log(JSON.stringify({ stage: index + 1, mix, until: stage.until, backend: report.name }));
  const { model: trained } = await trainStage({
    model,
    corpus,
    stage,
    batch: shortAndLong({ lengths: data.map(({ tokens }) => tokens.length), budget, seed }),
    visibility: subjectMask({ subjects, mask: { layers: 5, share: 0.7 }, seed }),
    seed,
    directory: stageDirectory(run, index),
    ...(index === 0 ? {} : { continueFrom: stageDirectory(run, index - 1) }),
    rate: 3e-3,
    ...(every === undefined ? {} : { every }),
  });
  if (last) {
    await saveModel(trained, {
      path: values['model-dir'] ?? join(run, 'model'),
      dtype: 'F16',
      tokenizerFrom: here('../../packages/pocket/model'),
    });
  }
  trained.dispose();
}
