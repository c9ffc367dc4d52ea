// heads/<arm>.json: the causal effect of each attention head on the demonstrations' answer.
import { z } from 'zod';

export const headMapSchema = z.object({
  schema: z.literal(1),
  what: z.literal('aie'),
  model: z.object({ name: z.string(), sha256: z.string() }),
  arm: z.string().optional(),
  layers: z.number(),
  heads: z.number(),
  /** layers x heads: average indirect effect. */
  aie: z.array(z.array(z.number())),
  top: z.array(z.object({ layer: z.number(), head: z.number(), aie: z.number() })),
  method: z.string(),
  prompts: z.number(),
  seed: z.number(),
});
export type HeadMap = z.infer<typeof headMapSchema>;
