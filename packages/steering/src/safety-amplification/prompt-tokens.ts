// Tokens of demonstration prompts and of the answers that follow them.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import type { Demonstration } from './demonstration.ts';

/** Throws BAD_TOKENIZER when the model carries none. */
export function encodeText(model: Transformer, text: string): number[] {
  if (!model.tokenizer) {
    throw new SafeInferError('the model has no tokenizer, so demonstrations cannot be encoded', {
      code: 'BAD_TOKENIZER',
      hint: 'load the model from a directory with tokenizer.json',
    });
  }
  return [...model.tokenizer.encode(text)];
}

/** First token of an answer as it is tokenised after "A:" (with its leading space); undefined for an empty one. */
export function answerToken(model: Transformer, answer: string): number | undefined {
  return encodeText(model, `A: ${answer}`)[encodeText(model, 'A:').length];
}

/** The commonest first answer token. */
export function firstAnswerToken(
  model: Transformer,
  demonstrations: readonly Demonstration[],
): number {
  const counts = new Map<number, number>();
  for (const { answer } of demonstrations) {
    const id = answerToken(model, answer);
    if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]![0];
}
