import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadTokenizer, type Tokenizer } from '@safeinfer/transformer';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Conversation, encodeChatExamples } from './encode-chat.ts';
import { encodeTextExamples } from './encode-text.ts';
import type { TrainingExample } from './example.ts';

/** The bundled model's tokenizer, with BOS, end-of-turn and a chat template. */
const POCKET = fileURLToPath(new URL('../../../pocket/model', import.meta.url));

let tokenizer: Tokenizer;

beforeAll(async () => {
  expect(readdirSync(POCKET)).toContain('tokenizer.json');
  tokenizer = await loadTokenizer(POCKET);
});

/** The text whose prediction counts. */
function learned({ tokens, weights }: TrainingExample): string {
  return tokenizer.decode(Array.from(tokens).filter((_, i) => weights[i] === 1));
}

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

describe('conversations', () => {
  const two: Conversation = {
    id: 'two turns',
    messages: [user('Hello?'), assistant('Yes.'), user('Where is Paris?'), assistant('In France.')],
  };

  it('take loss on the last answer and its end of turn', () => {
    const [example] = encodeChatExamples({ tokenizer, conversations: [two] });
    expect(learned(example as TrainingExample)).toBe(' In France.<|end|>');
    expect(tokenizer.decode(Array.from(example?.tokens ?? []))).toBe(
      '<|bos|><|user|> Hello?<|end|><|assistant|> Yes.<|end|>' +
        '<|user|> Where is Paris?<|end|><|assistant|> In France.<|end|>',
    );
    expect(example?.id).toBe('two turns');
  });

  it('take loss on every answer when told so, and some on prompts', () => {
    const [all] = encodeChatExamples({ tokenizer, conversations: [two], learn: 'all' });
    expect(learned(all as TrainingExample)).toBe(' Yes.<|end|> In France.<|end|>');
    const [weighted] = encodeChatExamples({ tokenizer, conversations: [two], promptWeight: 0.1 });
    expect(new Set(Array.from(weighted?.weights ?? []))).toEqual(new Set([0.1, 1]));
  });

  it('a token across the border belongs to the answer', () => {
    // Without a space before the answer, its first letters merge with the prompt's last ones.
    const template =
      '{{ messages[0].content }}{% if not add_generation_prompt %}{{ messages[1].content }}{% endif %}';
    const conversations = [{ messages: [user('The capital of Fr'), assistant('ance is Paris.')] }];
    const [example] = encodeChatExamples({ tokenizer, conversations, render: { template } });
    expect(learned(example as TrainingExample)).toContain('ance is Paris.');
  });

  it('refuse empty and missing answers, naming the conversation', () => {
    const encode = (messages: Conversation['messages']) => () =>
      encodeChatExamples({ tokenizer, conversations: [{ id: 'x', messages }] });
    expect(encode([user('Hello?'), assistant(' ')])).toThrow(/'x' has an empty answer/);
    expect(encode([user('Hello?')])).toThrow(/does not end with the assistant/);
    expect(encode([])).toThrow(/does not end with the assistant/);
  });

  it('refuse templates that rewrite history where that matters', () => {
    const template =
      '{% for m in messages %}{{ loop.last and m.content or "..." }}|{% endfor %}{{ add_generation_prompt and ">" or "" }}';
    expect(() =>
      encodeChatExamples({ tokenizer, conversations: [two], learn: 'all', render: { template } }),
    ).toThrow(/changes its earlier text/);
  });

  it('longer than the limit: refused, skipped or cut', () => {
    const conversations = [two, { messages: [user('Hello?'), assistant('Yes.')] }];
    const encode = (tooLong: 'error' | 'skip' | 'truncate', maxTokens: number) =>
      encodeChatExamples({ tokenizer, conversations, maxTokens, tooLong });
    const { length } = encode('error', 512)[0]?.tokens ?? [];
    expect(() => encode('error', (length as number) - 1)).toThrow(/'two turns' is \d+ tokens long/);
    expect(encode('skip', (length as number) - 1)).toHaveLength(1);
    const cut = encode('truncate', (length as number) - 1);
    expect(cut[0]?.tokens.length).toBe((length as number) - 1);
    expect(learned(cut[0] as TrainingExample)).toBe(' In France.');
    expect(() => encode('truncate', 12)).toThrow(/nothing to learn is left/);
  });
});

describe('text', () => {
  it('has loss on the completion and the end, or on everything without a prompt', () => {
    const [pair, plain] = encodeTextExamples({
      tokenizer,
      pairs: [
        { prompt: 'Q: Where is Paris?\nA:', completion: ' In France.' },
        { prompt: '', completion: 'Paris is in France.' },
      ],
    });
    expect(learned(pair as TrainingExample)).toBe(' In France.<|end|>');
    expect(learned(plain as TrainingExample)).toContain('Paris is in France.<|end|>');
    expect(pair?.tokens[0]).toBe(tokenizer.specialIds.bos);
  });

  it('refuses an empty completion', () => {
    const encode = () =>
      encodeTextExamples({ tokenizer, pairs: [{ id: 'p', prompt: 'Q', completion: '' }] });
    expect(encode).toThrow(/'p' has an empty completion/);
  });
});
