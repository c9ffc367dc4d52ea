// Guided decoding of an arm: one recipe of @safeinfer/guided-sampler, or a formula of one's own.
import { z } from 'zod';
import { exactlyOne } from './exactly-one.ts';
import { termSource } from './source-schema.ts';

const alpha = z.number().optional();

const safeInfer = z
  .strictObject({
    lambda: z
      .number()
      .min(0, 'lambda must be in [0, 1)')
      .lt(1, 'lambda must be in [0, 1): at 1 the formula has no normalisation')
      .optional(),
    /** Instead of lambda: the slope lambda / (1 - lambda) itself. */
    beta: z.number().min(0).optional(),
    unsafe: termSource,
  })
  .refine(({ lambda, beta }) => lambda === undefined || beta === undefined, {
    error: 'give lambda or beta, not both',
  });

export const guideSchema = exactlyOne({
  safeInfer,
  safeDecoding: z.strictObject({
    expert: termSource,
    alpha,
    first: z.int().min(1).optional(),
    common: z.int().min(1).optional(),
  }),
  /** Without `emphasised`: the model under the package's safety prompt. */
  selfCd: z.strictObject({ emphasised: termSource.optional(), ratio: z.number().optional() }),
  /** Without `positive`: the arm's model as it is. */
  rose: z.strictObject({ positive: termSource.optional(), reverse: termSource, alpha }),
  dexperts: z.strictObject({
    expert: termSource,
    anti: termSource,
    alpha,
    nucleus: z.number().gt(0).max(1).optional(),
  }),
  proxyTuning: z.strictObject({ tuned: termSource, untuned: termSource, alpha }),
  contrastive: z.strictObject({
    amateur: termSource,
    coefficient: z.number().optional(),
    amateurTemperature: z.number().gt(0).optional(),
    plausibility: z.number().min(0).max(1).optional(),
  }),
  contextAware: z.strictObject({ without: termSource, alpha }),
  classifierFree: z.strictObject({ negative: termSource, scale: z.number().optional() }),
  safetyPrompt: z.strictObject({ system: z.string().min(1).optional() }),
  /** The notation of language-model-arithmetic; the term `model` is the arm's own (steered) model. */
  lma: z.strictObject({
    formula: z.string().min(1),
    terms: z.record(z.string().regex(/^[A-Za-z_]\w*$/, 'a term is a word'), termSource).default({}),
  }),
});

export type GuideConfig = z.output<typeof guideSchema>;
