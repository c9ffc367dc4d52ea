// Steering of an arm: safety amplification built from demonstrations, or something read from a file.
import { z } from 'zod';
import { exactlyOne } from './exactly-one.ts';
import { demonstrationSource } from './source-schema.ts';

const strengthUnit = z.enum(['raw', 'residual', 'sigma', 'max-activation', 'kl']);
const index = z.int().min(0);

const safetyAmplification = z.strictObject({
  /**
   * Where numbers that are not given come from: `default` (the corrected method), `paper`, or `released-code` (Llama-2-7B
   * and Mistral-7B only).
   */
  preset: z.enum(['default', 'paper', 'released-code']).optional(),
  safe: demonstrationSource,
  compliant: demonstrationSource.optional(),
  layer: index.optional(),
  strength: z.number().optional(),
  /** What the strength means: times the vector (raw), of the residual's length, of its spread, or nats of KL. */
  unit: strengthUnit.optional(),
  topHeads: z.int().min(1).optional(),
  /** Fixed heads instead of a ranking. */
  heads: z
    .array(z.tuple([index, index]))
    .min(1)
    .optional(),
  shots: z.int().min(1).optional(),
  prompts: z.int().min(1).optional(),
  effectPrompts: z.int().min(1).optional(),
  metric: z.enum(['probability', 'logitDifference']).optional(),
  /** `aggregate`: one vector at one layer. `distributed`: every head's mean at its own head. */
  inject: z.enum(['aggregate', 'distributed']).optional(),
});

/** A plan of `safeinfer steer` or directions of other tools (safetensors, gguf, npz, npy). */
const vector = z.strictObject({
  path: z.string().min(1),
  /** Times what the file holds. */
  strength: z.number().default(1),
  layer: index.optional(),
  positions: z.enum(['all', 'last']).default('last'),
  /** Use it although it was made on other weights. */
  force: z.boolean().default(false),
});

const safetyArithmetic = z.strictObject({
  /** Harm directions by layer, at the MLP output. */
  path: z.string().min(1),
  alpha: z.number().optional(),
  force: z.boolean().default(false),
});

export const steerSchema = exactlyOne({ safetyAmplification, vector, safetyArithmetic });

export type SteerConfig = z.output<typeof steerSchema>;
export type AmplificationConfig = z.output<typeof safetyAmplification>;
export type VectorConfig = z.output<typeof vector>;
