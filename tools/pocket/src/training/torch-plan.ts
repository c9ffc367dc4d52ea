// The batches and masks of train_torch.py, from the file that its --write-plan wrote.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BatchPlan, VisibilityPlan } from '@safeinfer/finetune';
import { hiddenSubjects } from './subject-mask.ts';
import type { TrainingCorpus } from './training-corpus.ts';

interface PlanFile {
  readonly lowLayers: number;
  readonly steps: readonly {
    readonly batches: readonly (readonly number[])[];
    readonly masked: readonly boolean[];
  }[];
}

/** `corpus` is the one that the plan was written for: it counts documents, which examples name. */
export function torchPlan(
  directory: string,
  { data, subjects }: TrainingCorpus,
): { readonly batch: BatchPlan; readonly visibility: VisibilityPlan } {
  const { lowLayers, steps } = JSON.parse(
    readFileSync(join(directory, 'plan.json'), 'utf8'),
  ) as PlanFile;
  const example = new Map(data.map(({ id }, i) => [id, i]));
  const at = (step: number): PlanFile['steps'][number] => steps[step] as PlanFile['steps'][number];
  const name = JSON.stringify({ plan: directory });
  return {
    batch: {
      name,
      step: (step) =>
        at(step).batches.map((part) => part.map((i) => example.get(`document ${i}`) as number)),
    },
    visibility: {
      name,
      of: ({ step, microBatch, indices }) =>
        at(step).masked[microBatch] === true
          ? hiddenSubjects({ subjects, indices, layers: lowLayers })
          : undefined,
    },
  };
}
