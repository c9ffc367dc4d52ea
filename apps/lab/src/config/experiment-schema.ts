// The experiment file, as a zod schema: arms x edits x prompt styles x benchmarks on one model.
import { z } from 'zod';

const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9 _.+-]*$/,
    'a name starts with a letter or digit and holds letters, digits, space, _ . + -',
  );

/** Where demonstrations come from: a split of the bundled model, or a JSON file of {question, answer} rows. */
const source = z.union([z.literal('pocket'), z.strictObject({ path: z.string().min(1) })]);

const steer = z.strictObject({
  safetyAmplification: z.strictObject({
    safe: source,
    compliant: source.optional(),
    layer: z.int().min(0).optional(),
    strength: z.number().default(0.5),
    topHeads: z.int().min(1).default(10),
    shots: z.int().min(1).default(10),
    prompts: z.int().min(1).default(100),
    effectPrompts: z.int().min(1).default(25),
  }),
});

const unsafeTwin = z.union([
  z.strictObject({ adapter: z.string().min(1) }),
  z.strictObject({ model: z.string().min(1) }),
  z.strictObject({ systemPrompt: z.string().min(1) }),
]);

const guide = z.strictObject({
  safeInfer: z.strictObject({
    lambda: z
      .number()
      .min(0, 'lambda must be in [0, 1)')
      .lt(1, 'lambda must be in [0, 1): at 1 the formula has no normalisation')
      .default(0.99),
    unsafe: unsafeTwin,
  }),
});

const arm = z.strictObject({ name, steer: steer.optional(), guide: guide.optional() });

const edit = z.strictObject({
  name,
  rome: z
    .strictObject({
      /** Facts of the bundled model by id, or a JSON file of requests. */
      facts: z.union([z.literal('pocket'), z.strictObject({ path: z.string().min(1) })]),
      count: z.int().min(1).default(1),
      layer: z.int().min(0).optional(),
      factToken: z.enum(['subjectLast', 'last']).default('subjectLast'),
    })
    .optional(),
});

const benchmark = z.strictObject({
  /** A bundled split (`pocket-harmful`, `pocket-harmless`, ...) or the name of a dataset of @safeinfer/harmeval. */
  use: z.string().min(1),
  /** File of the dataset, for sets that are not bundled. */
  path: z.string().min(1).optional(),
  limit: z.int().min(1).optional(),
});

export const experimentSchema = z.strictObject({
  schemaVersion: z.literal(1),
  name,
  seed: z.int().default(0),
  /** `pocket` (bundled), a directory in Hugging Face layout, or a hub name. */
  model: z.string().min(1).default('pocket'),
  arms: z.array(arm).min(1),
  edits: z
    .array(edit)
    .min(1)
    .default([{ name: 'unedited' }]),
  prompts: z
    .array(z.enum(['simple', 'instruction-centric', 'instruction-centric-cot', 'plain']))
    .min(1)
    .default(['simple']),
  benchmarks: z.array(benchmark).min(1),
  /** Refusal list of @safeinfer/harmeval. */
  judge: z.string().min(1).default('refusal-string'),
  maxNewTokens: z.int().min(1).default(32),
  batchSize: z.int().min(1).default(16),
});

export type Experiment = z.output<typeof experimentSchema>;
export type ArmConfig = Experiment['arms'][number];
export type EditConfig = Experiment['edits'][number];
export type BenchmarkConfig = Experiment['benchmarks'][number];
export type PromptStyle = Experiment['prompts'][number];
