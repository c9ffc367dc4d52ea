// Which tokens a subject covers, by characters over the decoded tokens (reference: find_token_range).
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { formatTokens } from '../request/token-table.ts';

/**
 * [begin, end) of the first occurrence of `subject`: from the first token whose text ends behind the subject's start to
 * the first that reaches its end. @throws BAD_ARGUMENT when the tokens do not contain the subject
 */
export function subjectSpan(
  model: Transformer,
  tokens: readonly number[],
  subject: string,
): readonly [begin: number, end: number] {
  const decode = (count: number): string => model.tokenizer?.decode(tokens.slice(0, count)) ?? '';
  const start = subject.trim() === '' ? -1 : decode(tokens.length).indexOf(subject);
  if (start < 0) {
    throw new SafeInferError(
      `subject ${JSON.stringify(subject)} is not in the prompt: ${formatTokens(model, tokens)}`,
      { code: 'BAD_ARGUMENT', hint: 'spell the subject as in the prompt' },
    );
  }
  const end = start + subject.length;
  let begin: number | undefined;
  for (let count = 1; count <= tokens.length; count += 1) {
    // Prefixes, not single tokens: a character may be spread over several tokens, and a part of one is no character.
    const length = decode(count).replace(/\ufffd+$/u, '').length;
    if (begin === undefined && length > start) begin = count - 1;
    if (length >= end) return [begin ?? count - 1, count];
  }
  return [begin ?? tokens.length - 1, tokens.length];
}
