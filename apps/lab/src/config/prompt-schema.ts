// Prompt styles: a wording by name, or one with transforms, a script of turns or demonstrations before the question.
import { z } from 'zod';

const wording = z.enum([
  'simple',
  'instruction-centric',
  'instruction-centric-cot',
  'instruction-centric-code',
  'plain',
]);

const composed = z.strictObject({
  style: wording,
  /** Names the style in tables; default: composed of its parts. */
  name: z.string().min(1).optional(),
  /** Transforms of the question by id, in order (base64, rot13, leetspeak, prefix-injection, ...). */
  transforms: z.array(z.string().min(1)).min(1).optional(),
  /** Turns before the question, by id (escalation, insistence). */
  script: z.string().min(1).optional(),
  demonstrations: z
    .strictObject({
      use: z.union([
        z.enum(['placeholder', 'refusal', 'pocket-refuse', 'pocket-comply']),
        z.strictObject({ path: z.string().min(1) }),
      ]),
      shots: z.int().min(1),
    })
    .optional(),
  /** A system prompt by id (helpful, safe, guard) or in words. */
  systemPrompt: z.string().min(1).optional(),
  /** Send the text without a chat template. */
  raw: z.boolean().optional(),
});

export const promptSchema = z.union([wording, composed]);

export type PromptConfig = z.output<typeof promptSchema>;
