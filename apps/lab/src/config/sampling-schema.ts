// How tokens are drawn, as the experiment file says it. Greedy unless `temperature` is positive.
import { z } from 'zod';

const fraction = z.number().gt(0).max(1);

export const samplingSchema = z.strictObject({
  temperature: z.number().min(0).optional(),
  topK: z.int().min(1).optional(),
  topP: fraction.optional(),
  minP: z.number().min(0).max(1).optional(),
  typicalP: fraction.optional(),
  topNSigma: z.number().gt(0).optional(),
  repetitionPenalty: z.number().gt(0).optional(),
  presencePenalty: z.number().optional(),
  frequencyPenalty: z.number().optional(),
  noRepeatNgram: z.int().min(1).optional(),
  minNewTokens: z.int().min(0).optional(),
  order: z.enum(['hf', 'llama.cpp']).optional(),
  /** Answers an item. Above 1 the items are clusters, and each answer has its own seed. */
  n: z.int().min(1).optional(),
  /** Seed of the draws; default the experiment's. Without chance it plays no part. */
  seed: z.int().min(0).optional(),
  /** Strings that end an answer. */
  stop: z.array(z.string().min(1)).optional(),
});

export type SamplingConfig = z.output<typeof samplingSchema>;
