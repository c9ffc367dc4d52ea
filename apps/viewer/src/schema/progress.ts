// progress.json: how far a run is; written by the run, at most twice a second.
import { z } from 'zod';

export const progressSchema = z.object({
  phase: z.string(),
  done: z.number(),
  total: z.number(),
  startedAt: z.union([z.string(), z.number()]).optional(),
  updatedAt: z.union([z.string(), z.number()]).optional(),
  /** Attack success so far; a bare share, or one with its interval. */
  asr: z
    .union([
      z.number(),
      z.object({ value: z.number(), low: z.number().optional(), high: z.number().optional() }),
    ])
    .nullish(),
});
export type Progress = z.infer<typeof progressSchema>;
