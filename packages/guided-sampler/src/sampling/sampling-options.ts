// What a caller may ask of sampling, checked before anything runs.
import { SafeInferError } from '@safeinfer/backend';
import { z } from 'zod';

const token = z.number().int().nonnegative();
const fraction = z.number().gt(0).max(1);

const schema = z.strictObject({
  /** 0 (default) is greedy. */
  temperature: z.number().nonnegative().optional(),
  topK: z.number().int().positive().optional(),
  topP: fraction.optional(),
  minP: z.number().min(0).max(1).optional(),
  typicalP: fraction.optional(),
  epsilonCutoff: z.number().gt(0).lt(1).optional(),
  etaCutoff: z.number().gt(0).lt(1).optional(),
  topNSigma: z.number().positive().optional(),
  /** Over prompt and generated tokens ('hf'), or the last `penaltyWindow` ('llama.cpp', 64). */
  repetitionPenalty: z.number().positive().optional(),
  presencePenalty: z.number().optional(),
  frequencyPenalty: z.number().optional(),
  penaltyWindow: z.number().int().nonnegative().optional(),
  noRepeatNgram: z.number().int().positive().optional(),
  dry: z
    .strictObject({
      multiplier: z.number().positive(),
      base: z.number().positive().default(1.75),
      allowedLength: z.number().int().positive().default(2),
      breakers: z.array(token).optional(),
    })
    .optional(),
  /** Token id -> number added to its score. */
  logitBias: z.record(z.string(), z.number()).optional(),
  sequenceBias: z
    .array(z.strictObject({ tokens: z.array(token).min(1), bias: z.number() }))
    .optional(),
  /** Token sequences that are never completed. */
  badWords: z.array(z.array(token).min(1)).optional(),
  suppressTokens: z.array(token).optional(),
  /** The answer begins with these tokens. */
  forcedPrefix: z.array(token).optional(),
  minNewTokens: z.number().int().nonnegative().optional(),
  /** Order of processors: Hugging Face's (temperature before truncation) or llama.cpp's (after). */
  order: z.enum(['hf', 'llama.cpp']).optional(),
});

/** Sampling parameters; every one is off unless given. Greedy unless `temperature` is positive. */
export interface SamplingOptions {
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly typicalP?: number;
  readonly epsilonCutoff?: number;
  readonly etaCutoff?: number;
  readonly topNSigma?: number;
  readonly repetitionPenalty?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly penaltyWindow?: number;
  readonly noRepeatNgram?: number;
  readonly dry?: {
    readonly multiplier: number;
    readonly base?: number;
    readonly allowedLength?: number;
    readonly breakers?: readonly number[];
  };
  readonly logitBias?: Readonly<Record<string, number>>;
  readonly sequenceBias?: readonly { readonly tokens: readonly number[]; readonly bias: number }[];
  readonly badWords?: readonly (readonly number[])[];
  readonly suppressTokens?: readonly number[];
  readonly forcedPrefix?: readonly number[];
  readonly minNewTokens?: number;
  readonly order?: 'hf' | 'llama.cpp';
}

/**
 * Refuses unknown names and numbers out of range.
 * @throws BAD_ARGUMENT naming every field that is wrong.
 */
export function checkSampling(options: SamplingOptions): SamplingOptions {
  const result = schema.safeParse(options);
  if (result.success) return options;
  const problems = result.error.issues.map(
    (i) => `${i.path.join('.') || 'sampling'}: ${i.message}`,
  );
  throw new SafeInferError(`sampling options: ${problems.join('; ')}`, {
    code: 'BAD_ARGUMENT',
    hint: 'names are temperature, topK, topP, minP, typicalP, repetitionPenalty, ... ; nothing is ignored silently',
  });
}
