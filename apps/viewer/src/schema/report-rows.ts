// The main table of report.json, where a report was written.
import { z } from 'zod';

const rateSchema = z.object({
  count: z.number(),
  total: z.number(),
  value: z.number(),
  /** Ends of the 95 % interval. */
  low: z.number(),
  high: z.number(),
});
export type Rate = z.infer<typeof rateSchema>;

const reportRowSchema = z.object({
  edit: z.string(),
  style: z.string(),
  arm: z.string(),
  asr: rateSchema.nullish(),
  other: rateSchema.nullish(),
  overRefusal: rateSchema.nullish(),
  accuracy: rateSchema.nullish(),
  unscored: z.number(),
});
export type ReportRow = z.infer<typeof reportRowSchema>;

export const reportSchema = z.object({
  rows: z.array(reportRowSchema),
  limits: z.array(z.string()).optional(),
});
