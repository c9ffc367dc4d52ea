// Where in a tokenised prompt the fact is looked up: the commonest source of wrong edits, so it is checked.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import type { FactToken } from './edit-request.ts';
import { comparable, formatTokens } from './token-table.ts';

export interface LocatedPrompt {
  readonly text: string;
  readonly tokens: readonly number[];
  /** Position of the fact token in `tokens`. */
  readonly lookup: number;
}

/**
 * Tokenises `template` (one `{}`) filled with the subject and finds the fact token: for `subjectLast`,
 * length(encode(text up to the end of the subject)) - 1 with the same special tokens as the forward pass,
 * verified to be a prefix of the whole prompt's tokens and to decode to text that ends with the subject.
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
  checkBos(model, tokens);
  if (factToken === 'last') return { text, tokens, lookup: tokens.length - 1 };
  const upToSubject = encode(model, before + subject);
  if (upToSubject.some((token, i) => tokens[i] !== token)) {
    throw new SafeInferError(
      `the tokenizer merges the end of subject ${JSON.stringify(subject)} with the text behind it: ${formatTokens(model, tokens)}`,
      { code: 'BAD_ARGUMENT', hint: 'put a space or punctuation behind the hole of the prompt' },
    );
  }
  const decoded = comparable(tokenizer(model).decode(upToSubject));
  if (!decoded.endsWith(comparable(subject))) {
    throw new SafeInferError(
      `the tokens up to subject ${JSON.stringify(subject)} read back as something else: ${formatTokens(model, upToSubject)}`,
      {
        code: 'BAD_TOKENIZER',
        hint: 'spell the subject in characters this tokenizer knows, or use factToken "last"',
      },
    );
  }
  // Spaces do not count above, so a token of nothing else would pass for the subject's last.
  if (comparable(tokenizer(model).decode(upToSubject.slice(0, -1))) === decoded) {
    throw new SafeInferError(
      `the last token up to subject ${JSON.stringify(subject)} holds nothing of it: ${formatTokens(model, upToSubject)}`,
      {
        code: 'BAD_TOKENIZER',
        hint: 'leave spaces around the subject to the prompt, or use factToken "last"',
      },
    );
  }
  return { text, tokens, lookup: upToSubject.length - 1 };
}

/**
 * Stands before a target while it is encoded: SentencePiece tokenizers (Llama, Mistral, Phi-3) put a space before every
 * text, so " Paris" alone becomes a lone space and " Paris", which no text continues with.
 */
const BEFORE = 'a';

/**
 * Target token ids as they continue a text, without special tokens.
 * @throws BAD_ARGUMENT when nothing is left to predict, BAD_TOKENIZER when the ids do not read back as the target
 */
export function encodeTarget(model: Transformer, target: string): number[] {
  const plain = (text: string): number[] => [
    ...tokenizer(model).encode(text, { addSpecialTokens: false }),
  ];
  const before = plain(BEFORE);
  const whole = plain(BEFORE + target);
  if (before.some((token, i) => whole[i] !== token)) {
    throw new SafeInferError(
      `the tokenizer merges target ${JSON.stringify(target)} with what stands before it: ${formatTokens(model, whole)}`,
      { code: 'BAD_TOKENIZER', hint: 'begin the target with a space' },
    );
  }
  const ids = whole.slice(before.length);
  if (ids.length === 0) {
    throw new SafeInferError(`target ${JSON.stringify(target)} has no tokens`, {
      code: 'BAD_ARGUMENT',
      hint: 'give an object the tokenizer can write',
    });
  }
  const { bosTokenId } = model.config;
  const decoded = tokenizer(model).decode(ids);
  if ((bosTokenId !== null && ids.includes(bosTokenId)) || !sameText(decoded, target)) {
    throw new SafeInferError(
      `target ${JSON.stringify(target)} does not survive the tokenizer: ${formatTokens(model, ids)}`,
      {
        code: 'BAD_TOKENIZER',
        hint: 'leave special tokens out of the target and use characters this tokenizer knows',
      },
    );
  }
  return ids;
}

export function encode(model: Transformer, text: string): number[] {
  return [...tokenizer(model).encode(text)];
}

/** BOS may stand first and nowhere else: a second one comes from joining parts that were encoded apart. */
function checkBos(model: Transformer, tokens: readonly number[]): void {
  const { bosTokenId } = model.config;
  if (bosTokenId === null || tokens.lastIndexOf(bosTokenId) <= 0) return;
  throw new SafeInferError(
    `the start token occurs inside the prompt: ${formatTokens(model, tokens)}`,
    {
      code: 'BAD_TOKENIZER',
      hint: 'leave special tokens out of prompts and templates; the tokenizer adds them',
    },
  );
}

function sameText(a: string, b: string): boolean {
  return comparable(a) === comparable(b);
}

function tokenizer(model: Transformer): NonNullable<Transformer['tokenizer']> {
  if (model.tokenizer) return model.tokenizer;
  throw new SafeInferError('the model has no tokenizer, so facts cannot be encoded', {
    code: 'BAD_TOKENIZER',
    hint: 'load the model from a directory with tokenizer.json',
  });
}
