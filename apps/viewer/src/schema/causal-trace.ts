// traces/<id>.json: where in the model a corrupted fact is restored.
import { z } from 'zod';

const map = z.array(z.array(z.number()));

export const causalTraceSchema = z.object({
  schema: z.literal(1),
  what: z.literal('causal-trace'),
  model: z.object({ name: z.string() }),
  id: z.string(),
  prompt: z.string(),
  tokens: z.array(z.string()),
  /** [start, end) of the subject in tokens. */
  subject: z.tuple([z.number(), z.number()]),
  answer: z.string(),
  /** Probability of the answer in the clean and in the corrupted run. */
  clean: z.number(),
  corrupted: z.number(),
  /** token x layer: probability of the answer with that state restored. */
  maps: z.object({ state: map, mlp: map, attention: map }),
  window: z.number(),
});
export type CausalTrace = z.infer<typeof causalTraceSchema>;
