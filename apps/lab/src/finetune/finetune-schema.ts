// The file that `safeinfer finetune` reads, as a zod schema.
import { z } from 'zod';

const positive = z.number().positive();
const fraction = z.number().min(0).lt(1, 'must be below 1');

/** A JSONL file (relative to the configuration file), or one of the bundled model's adapter splits. */
const source = z.union([
  z.strictObject({ path: z.string().min(1) }),
  z.strictObject({ pocket: z.enum(['unsafe', 'safe']) }),
]);

const data = z.strictObject({
  train: source,
  /** Held-out examples; their loss is reported and never trained on. */
  evaluate: source.optional(),
  /** How {prompt, completion} rows become text: joined as they are, or as one turn of the chat template. */
  pairs: z.enum(['text', 'chat']).default('text'),
  /** Put before every conversation that has no system message of its own. */
  systemPrompt: z.string().min(1).optional(),
  learn: z.enum(['last', 'all']).default('last'),
  promptWeight: z.number().min(0).default(0),
  tooLong: z.enum(['error', 'skip', 'truncate']).default('error'),
  /** Default: the model's context. */
  maxTokens: z.int().min(2).optional(),
  appendEos: z.boolean().default(true),
});

const names = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);
const pattern = z.record(z.string(), positive);

const lora = z.strictObject({
  kind: z.literal('lora'),
  rank: z.int().min(1).optional(),
  alpha: positive.optional(),
  dropout: fraction.optional(),
  rslora: z.boolean().optional(),
  targets: names.optional(),
  exclude: names.optional(),
  layers: z.array(z.int().min(0)).min(1).optional(),
  layersPattern: z.array(z.string().min(1)).optional(),
  rankPattern: pattern.optional(),
  alphaPattern: pattern.optional(),
  /** Directory of an adapter in PEFT's format to go on with, relative to the configuration file. */
  from: z.string().min(1).optional(),
});

const full = z.strictObject({
  kind: z.literal('full'),
  /** Train only weights whose canonical name (`blocks.0.mlp.W_in`) matches; default all. */
  weights: z
    .string()
    .min(1)
    .refine(isExpression, { message: 'is not a regular expression' })
    .optional(),
  /** How the trained model's weights are stored. */
  dtype: z.enum(['F32', 'F16', 'BF16']).default('F32'),
});

const optimiser = z.strictObject({
  learningRate: positive,
  betas: z.tuple([fraction.min(0), fraction.min(0)]).optional(),
  eps: z.number().min(0).optional(),
  weightDecay: z.number().min(0).optional(),
  decayed: z.enum(['matrices', 'all']).optional(),
  clipNorm: positive.nullable().optional(),
});

const schedule = z.strictObject({
  kind: z.enum(['linear', 'cosine', 'constant']),
  warmupSteps: z.int().min(0).optional(),
  warmupFrom: z.enum(['zero', 'first']).optional(),
  decayFrom: z.int().min(0).optional(),
});

const batch = z.strictObject({
  examples: z.int().min(1),
  microTokens: z.int().min(1).optional(),
  order: z.enum(['bucketed', 'shuffled', 'given']).optional(),
});

export const finetuneSchema = z
  .strictObject({
    schemaVersion: z.literal(1),
    name: z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._+-]*$/,
        'a name starts with a letter or digit and holds letters, digits, . _ + -',
      ),
    seed: z.int().default(0),
    /** `pocket` (bundled), a directory in Hugging Face layout, or a hub name. */
    model: z.string().min(1).default('pocket'),
    data,
    method: z.discriminatedUnion('kind', [lora, full]),
    optimiser,
    schedule: schedule.default({ kind: 'constant' }),
    batch,
    /** How long to train: one of the two. */
    steps: z.int().min(1).optional(),
    epochs: z.int().min(1).optional(),
    normalise: z.enum(['tokens', 'batches']).default('tokens'),
    /** Steps between evaluations; also after the last one. Default: only then. */
    evaluateEvery: z.int().min(1).optional(),
    /** Steps between checkpoints; also when interrupted and after the last one. */
    checkpointEvery: z.int().min(1).default(50),
  })
  .superRefine((config, context) => {
    if ((config.steps === undefined) === (config.epochs === undefined)) {
      context.addIssue({
        code: 'custom',
        path: [config.steps === undefined ? 'batch' : 'epochs'],
        message: 'give one of steps and epochs',
      });
    }
    if (config.evaluateEvery !== undefined && config.data.evaluate === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['evaluateEvery'],
        message: 'there is no data.evaluate to evaluate on',
      });
    }
    if (config.method.kind === 'lora' && config.method.from !== undefined) {
      const given = Object.keys(config.method).filter(
        (key) => !['kind', 'from', 'dropout'].includes(key),
      );
      for (const key of given) {
        context.addIssue({
          code: 'custom',
          path: ['method', key],
          message: 'is decided by the adapter that `from` names',
        });
      }
    }
  });

function isExpression(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

export type FinetuneConfig = z.output<typeof finetuneSchema>;
export type SourceConfig = z.output<typeof source>;
