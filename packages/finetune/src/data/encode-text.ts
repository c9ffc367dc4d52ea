// Plain text, with or without a prompt, as training examples.
import { SafeInferError } from '@safeinfer/backend';
import type { Tokenizer } from '@safeinfer/transformer';
import { commonLength } from './encode-chat.ts';
import type { TrainingExample } from './example.ts';
import { type LengthLimit, limitLength } from './limit-length.ts';

export interface TextPair {
  readonly id?: string;
  /** Empty for plain text, of which every token is learned. */
  readonly prompt: string;
  readonly completion: string;
}

export interface EncodeTextOptions extends LengthLimit {
  readonly tokenizer: Tokenizer;
  readonly pairs: readonly TextPair[];
  /** Weight of the prompt's tokens; default 0, completion-only loss. */
  readonly promptWeight?: number;
  /** End with the tokenizer's end-of-text token, so that the model learns to stop; default true. */
  readonly appendEos?: boolean;
}

/**
 * Prompt and completion as one text, with the special tokens that the tokenizer adds. A token that straddles the
 * border counts as part of the completion.
 *
 * @throws SafeInferError `BAD_DATASET` for an empty completion, `BAD_TOKENIZER` when there is no end-of-text token,
 *   `CONTEXT_OVERFLOW`
 */
export function encodeTextExamples(options: EncodeTextOptions): TrainingExample[] {
  const { tokenizer, pairs, promptWeight = 0, appendEos = true } = options;
  const { eos } = tokenizer.specialIds;
  if (appendEos && eos === undefined) {
    throw new SafeInferError('the tokenizer has no end-of-text token', {
      code: 'BAD_TOKENIZER',
      hint: 'pass appendEos: false',
    });
  }
  const examples = pairs.map(({ id, prompt, completion }, index): TrainingExample => {
    if (completion === '') {
      throw new SafeInferError(
        `${id === undefined ? `pair ${index}` : `pair '${id}'`} has an empty completion`,
        { code: 'BAD_DATASET', hint: 'remove pairs without a completion' },
      );
    }
    const tokens = tokenizer.encode(prompt + completion);
    const start = commonLength(tokens, tokenizer.encode(prompt));
    const ends = appendEos && eos !== undefined && tokens.at(-1) !== eos ? [eos] : [];
    const weights = [...tokens, ...ends].map((_, i) =>
      i < start && prompt !== '' ? promptWeight : 1,
    );
    return { ...(id === undefined ? {} : { id }), tokens: [...tokens, ...ends], weights };
  });
  return limitLength(examples, options);
}
