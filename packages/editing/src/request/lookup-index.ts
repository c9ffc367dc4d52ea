// Where in a tokenised prompt the fact is looked up: the commonest source of wrong edits, so it is checked.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import type { FactToken } from './edit-request.ts';

export interface LocatedPrompt {
  readonly text: string;
  readonly tokens: readonly number[];
  /** Position of the fact token in `tokens`. */
  readonly lookup: number;
}

/**
 * Tokenises `template` (one `{}`) filled with the subject and finds the fact token: for `subjectLast`,
 * length(encode(text up to the end of the subject)) - 1 with the same special tokens as the forward pass,
 * verified to be a prefix of the whole prompt's tokens.
 */
export function locatePrompt(options: {
  readonly model: Transformer;
  readonly template: string;
  readonly subject: string;
  readonly factToken: FactToken;
}): LocatedPrompt {
  const { model, template, subject, factToken } = options;
  const [before = '', after = ''] = template.split('{}');
  const text = before + subject + after;
  const tokens = encode(model, text);
  if (factToken === 'last') return { text, tokens, lookup: tokens.length - 1 };
  const upToSubject = encode(model, before + subject);
  if (upToSubject.some((token, i) => tokens[i] !== token)) {
    throw new SafeInferError(
      `the tokenizer merges the end of subject ${JSON.stringify(subject)} with the text behind it`,
      { code: 'BAD_ARGUMENT', hint: 'put a space or punctuation behind the hole of the prompt' },
    );
  }
  return { text, tokens, lookup: upToSubject.length - 1 };
}

/** Target token ids without special tokens. @throws when nothing is left to predict. */
export function encodeTarget(model: Transformer, target: string): number[] {
  const ids = [...tokenizer(model).encode(target, { addSpecialTokens: false })];
  if (ids.length === 0) {
    throw new SafeInferError(`target ${JSON.stringify(target)} has no tokens`, {
      code: 'BAD_ARGUMENT',
      hint: 'give an object the tokenizer can write',
    });
  }
  return ids;
}

export function encode(model: Transformer, text: string): number[] {
  return [...tokenizer(model).encode(text)];
}

function tokenizer(model: Transformer): NonNullable<Transformer['tokenizer']> {
  if (model.tokenizer) return model.tokenizer;
  throw new SafeInferError('the model has no tokenizer, so facts cannot be encoded', {
    code: 'BAD_TOKENIZER',
    hint: 'load the model from a directory with tokenizer.json',
  });
}
