// One line of results.jsonl as the viewer reads it: unknown fields are ignored, missing ones refused.
import { z } from 'zod';
import { OUTCOMES } from './outcome.ts';

const outcomeSchema = z.enum(OUTCOMES);

const tokenTraceSchema = z.object({
  id: z.number(),
  text: z.string(),
  /** Null where a term was skipped and the final distribution is not known. */
  logprob: z.number().nullable(),
  /** Signed contribution of each term to the chosen token's score, in nats. */
  terms: z.record(z.string(), z.number()),
  alternatives: z.array(z.object({ text: z.string(), logprob: z.number() })),
});
export type TokenTrace = z.infer<typeof tokenTraceSchema>;

const verdictSchema = z.object({
  judge: z.string(),
  status: z.string(),
  outcome: outcomeSchema,
  score: z.number().optional(),
});

const fields = {
  schema: z.literal(1),
  arm: z.string(),
  edit: z.string(),
  style: z.string(),
  benchmark: z.string(),
  itemId: z.string(),
  category: z.string(),
  kind: z.enum(['harmful', 'harmless']),
  prompt: z.string(),
  output: z.string(),
  finishReason: z.string(),
  tokensIn: z.number(),
  tokensOut: z.number(),
  judge: z.string(),
  outcome: outcomeSchema,
  correct: z.boolean().optional(),
  verdicts: z.array(verdictSchema).optional(),
};

export const trialRecordSchema = z.object({
  ...fields,
  tokens: z.array(tokenTraceSchema).optional(),
});
export type TrialRecord = z.infer<typeof trialRecordSchema>;

/** The same without looking into the tokens: what reading 100,000 lines can afford. */
export const trialHeadSchema = z.object({ ...fields, tokens: z.array(z.unknown()).optional() });
export type TrialHead = z.infer<typeof trialHeadSchema>;
