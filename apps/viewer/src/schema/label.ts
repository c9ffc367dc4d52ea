// labels.jsonl: what a person said about one answer. Of several lines for one key the last one counts.
import { z } from 'zod';
import { LABELS } from './outcome.ts';

export const trialKeySchema = z.object({
  edit: z.string(),
  arm: z.string(),
  style: z.string(),
  benchmark: z.string(),
  itemId: z.string(),
});
export type TrialKey = z.infer<typeof trialKeySchema>;

export const labelRequestSchema = z.strictObject({
  key: trialKeySchema.strict(),
  label: z.enum(LABELS),
});

export const labelLineSchema = z.object({
  schema: z.literal(1),
  key: trialKeySchema,
  label: z.enum(LABELS),
  at: z.string(),
});

/** One string for a key: object keys and maps need one. */
export function trialKeyText({ edit, arm, style, benchmark, itemId }: TrialKey): string {
  return JSON.stringify([edit, arm, style, benchmark, itemId]);
}
