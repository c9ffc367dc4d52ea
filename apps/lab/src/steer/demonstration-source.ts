// Questions with answers for safety amplification and function vectors: the bundled model's vector split, or a file.
import { pocketDemonstrations } from '@safeinfer/pocket';
import type { Demonstration } from '@safeinfer/steering';
import { z } from 'zod';
import { readRows } from './read-rows.ts';

const schema = z.object({ question: z.string().min(1), answer: z.string().min(1) });

/** `pocket`, or a path. The bundled rows occur once a question. */
export function demonstrationsFrom(
  source: string,
  behaviour: 'refuse' | 'comply' | 'answer',
): Demonstration[] {
  if (source !== 'pocket') {
    return readRows({
      path: source,
      schema,
      form: '{"question": "...", "answer": "..."}',
    }).map(({ question, answer }) => ({ question, answer }));
  }
  const byQuestion = new Map(
    pocketDemonstrations(behaviour).map(({ question, answer }) => [question, { question, answer }]),
  );
  return [...byQuestion.values()];
}
