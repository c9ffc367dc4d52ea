// The experiment file, as a zod schema: models x arms x edits x prompt styles x benchmarks, judged by judges.
import { z } from 'zod';
import { editSchema } from './edit-schema.ts';
import { guideSchema } from './guide-schema.ts';
import { name } from './name-schema.ts';
import { promptSchema } from './prompt-schema.ts';
import { samplingSchema } from './sampling-schema.ts';
import { steerSchema } from './steer-schema.ts';

/** Dotted path inside the arm -> values; the arm becomes one arm a combination. */
const sweepSchema = z.record(z.string(), z.array(z.unknown()).min(1));

const armSchema = z.strictObject({
  name,
  steer: steerSchema.optional(),
  guide: guideSchema.optional(),
  sampling: samplingSchema.optional(),
  /** A system prompt by id (helpful, safe, guard) or in words. */
  systemPrompt: z.string().min(1).optional(),
  sweep: sweepSchema.optional(),
});

const named = <S extends z.ZodType>(part: S) => z.record(name, part.nullable());

/** Arms by product: every choice of every factor, named by its choices. `null` is "without". */
const matrixSchema = z.strictObject({
  steer: named(steerSchema).optional(),
  guide: named(guideSchema).optional(),
  sampling: named(samplingSchema).optional(),
  systemPrompt: named(z.string().min(1)).optional(),
});

const benchmarkSchema = z.strictObject({
  /** A bundled split (`pocket-harmful`, `pocket-harmless`, ...) or the name of a dataset of @safeinfer/harmeval. */
  use: z.string().min(1),
  /** File of the dataset, for sets that are not bundled. */
  path: z.string().min(1).optional(),
  /** What results call it; needed when one set is used twice with different files. */
  name: name.optional(),
  limit: z.int().min(1).optional(),
});

/** A refusal list by name, or a judge prompt answered by a local model. */
const judgeSchema = z.union([
  z.string().min(1),
  z.strictObject({ prompt: z.string().min(1), model: z.string().min(1) }),
]);

const share = /^\d+(\.\d+)?%$/;

export const experimentFileSchema = z
  .strictObject({
    schemaVersion: z.literal(1),
    name,
    seed: z.int().min(0).default(0),
    /** `pocket` (bundled), a directory in Hugging Face layout, or a hub name. */
    model: z.string().min(1).default('pocket'),
    /** Several models: one run directory each. */
    models: z
      .array(z.union([z.string().min(1), z.strictObject({ name, path: z.string().min(1) })]))
      .min(1)
      .optional(),
    arms: z.array(armSchema).default([]),
    matrix: matrixSchema.optional(),
    edits: z
      .array(editSchema)
      .min(1)
      .default([{ name: 'unedited' }]),
    prompts: z.array(promptSchema).min(1).default(['simple']),
    benchmarks: z.array(benchmarkSchema).min(1),
    /** The primary judge. */
    judge: judgeSchema.default('xstest-21'),
    /** Several judges on the same answers; the first is the primary one. Instead of `judge`. */
    judges: z.array(judgeSchema).min(1).optional(),
    sampling: samplingSchema.optional(),
    /** `tokens`: what every term did to every token, with alternatives. */
    record: z.enum(['text', 'tokens']).default('text'),
    maxNewTokens: z.int().min(1).default(32),
    batchSize: z.int().min(1).default(16),
    /** Failed answers that are tolerated: a number or a share of all. */
    maxFailures: z
      .union([z.int().min(0), z.string().regex(share, 'a number, or a share such as 2%')])
      .default('2%'),
  })
  .refine(({ arms, matrix }) => arms.length > 0 || matrix !== undefined, {
    path: ['arms'],
    error: 'no arm: give arms, a matrix, or both',
  });

export type ExperimentFile = z.output<typeof experimentFileSchema>;

/** What a run is made of: the file with its sweeps and its matrix written out. */
export type Experiment = Omit<ExperimentFile, 'arms' | 'matrix' | 'models'> & {
  readonly arms: readonly ArmConfig[];
};

export type ArmConfig = Omit<z.output<typeof armSchema>, 'sweep'>;
export type BenchmarkConfig = Experiment['benchmarks'][number];
export type JudgeConfig = z.output<typeof judgeSchema>;
export type { PromptConfig as PromptStyle } from './prompt-schema.ts';
export { armSchema };
