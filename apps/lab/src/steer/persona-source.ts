// Responses under opposite instructions, with a judge's scores, for persona vectors.
import { SafeInferError } from '@safeinfer/backend';
import type { PersonaResponse } from '@safeinfer/steering';
import type { Transformer } from '@safeinfer/transformer';
import { z } from 'zod';
import { answerTokens } from './answer-tokens.ts';
import { readRows } from './read-rows.ts';

const score = z.number().min(0).max(100).optional();
const schema = z.object({
  prompt: z.string().min(1),
  response: z.string().min(1),
  system: z.string().optional(),
  trait: score,
  coherence: score,
});

export function personaFrom(model: Transformer, source: string): PersonaResponse[] {
  if (source === 'pocket') {
    throw new SafeInferError(
      'persona vectors are read from responses, which pocket does not bring',
      {
        code: 'BAD_ARGUMENT',
        hint: 'give --positive and --negative files of {"prompt", "response", "trait", "coherence"}',
      },
    );
  }
  return readRows({
    path: source,
    schema,
    form: '{"prompt": "...", "response": "...", "trait": 0-100, "coherence": 0-100}',
  }).map(({ prompt, response, system, trait, coherence }) => ({
    ...answerTokens(model, { question: prompt, answer: response, system }),
    ...(trait === undefined ? {} : { trait }),
    ...(coherence === undefined ? {} : { coherence }),
  }));
}
