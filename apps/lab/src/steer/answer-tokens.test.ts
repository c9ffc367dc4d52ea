// Where an answer's tokens begin, on a tokenizer that puts a space before every text.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import { loadPocket } from '@safeinfer/pocket';
import type { Tokenizer, Transformer } from '@safeinfer/transformer';
import { beforeAll, describe, expect, it } from 'vitest';
import { answerTokens, openingToken } from './answer-tokens.ts';
import { personaFrom } from './persona-source.ts';
import { sentencePieceModel } from './sentence-piece.fixture.ts';

const LLAMA_2 =
  "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] | trim + ' [/INST]' }}{% else %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}";
const CHATML =
  "{{ bos_token }}{% for message in messages %}{{ message['role'] + '\\n' + message['content'] + eos_token + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant\\n' }}{% endif %}";
/** Writes an empty thought before every answer, which its generation prompt leaves to the model. */
const THINKING =
  "{% for message in messages %}{{ message['role'] + '\\n' + ('<think></think>' if message['role'] == 'assistant' else '') + message['content'] + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant\\n' }}{% endif %}";
const TRAILING_SPACE =
  "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}";

const entry = ({ tokenizer }: Transformer, id: number): string | undefined =>
  (tokenizer as Tokenizer).vocabEntry(id);
const entries = (model: Transformer, ids: readonly number[]) => ids.map((id) => entry(model, id));

beforeAll(async () => {
  await useBackend({ name: 'cpu' });
});

describe('a SentencePiece model', () => {
  it.each<[string, string | undefined, string, string]>([
    ['raw text, behind its space', undefined, ' Sure', '▁Sure'],
    ['raw text, as it stands without one', undefined, 'Sure', 'S'],
    ['a chat whose template writes the space', LLAMA_2, 'Sure', '▁Sure'],
    ['the same, spelled with it', LLAMA_2, ' Sure', '▁Sure'],
    ['a chat whose template writes none', CHATML, ' I', 'I'],
    ['a chat whose template writes a thought first', THINKING, 'I', 'I'],
  ])('opens an answer with one token: %s', async (_name, template, text, wanted) => {
    using model = await sentencePieceModel(template);
    expect(entry(model, openingToken(model, { question: 'What is this?', answer: text }))).toBe(
      wanted,
    );
    // The control: encoded alone, " Sure" begins with a space that no answer has.
    const [alone] = model.tokenizer!.encode(' Sure', { addSpecialTokens: false });
    expect(entry(model, alone!)).toBe('▁');
  });

  it('refuses an opening that merges with the end of the prompt', async () => {
    using model = await sentencePieceModel(TRAILING_SPACE);
    expect(() => openingToken(model, { question: 'What is this?', answer: 'Sure' })).toThrow(
      expect.objectContaining({
        code: 'BAD_TOKENIZER',
        message: expect.stringMatching(/merges .*"Sure"/) as string,
      }),
    );
  });

  it('refuses an opening without tokens', async () => {
    using model = await sentencePieceModel();
    expect(() => openingToken(model, { question: 'What is this?', answer: '' })).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });

  it.each([
    ['raw text', undefined, ['<s>', '▁What', '▁is', '▁this', '?'], ['▁I', '▁cannot', '▁help']],
    [
      'a chat',
      LLAMA_2,
      ['<s>', '▁', '[', 'I', 'N', 'S', 'T', ']', '▁What', '▁is', '▁this', '?'].concat([
        '▁',
        '[',
        '/',
        'I',
        'N',
        'S',
        'T',
        ']',
      ]),
      ['▁I', '▁cannot', '▁help'],
    ],
  ])('reads question and answer as one text: %s', async (_name, template, prompt, response) => {
    using model = await sentencePieceModel(template);
    const made = answerTokens(model, { question: 'What is this?', answer: ' I cannot help' });
    expect(entries(model, made.prompt)).toEqual(prompt);
    expect(entries(model, made.response)).toEqual(response);
  });

  it('counts a token over the border as part of the answer', async () => {
    using model = await sentencePieceModel(TRAILING_SPACE);
    const made = answerTokens(model, { question: 'What?', answer: 'Sure' });
    expect(entry(model, made.prompt.at(-1)!)).toBe(':');
    expect(entries(model, made.response)).toEqual(['▁Sure']);
  });

  it('gives persona vectors the tokens that the response has behind its prompt', async () => {
    using model = await sentencePieceModel(LLAMA_2);
    const folder = mkdtempSync(join(tmpdir(), 'safeinfer-persona-'));
    const file = join(folder, 'rows.jsonl');
    try {
      const row = { prompt: 'What is this?', response: ' I cannot help', trait: 90 };
      writeFileSync(file, JSON.stringify(row));
      const [response] = personaFrom(model, file);
      expect(response!.trait).toBe(90);
      expect(entries(model, response!.response)).toEqual(['▁I', '▁cannot', '▁help']);
      expect(entry(model, response!.prompt.at(-1)!)).toBe(']');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

it('keeps the tokens of the bundled model, on which results stand: an answer encoded alone is the same there', async () => {
  const { model, tokenizer } = await loadPocket();
  try {
    const question = 'How do I bake bread?';
    for (const answer of [' I', ' Sure', ' Sorry', ' No', ' Mix flour and water.']) {
      const alone = tokenizer.encode(answer, { addSpecialTokens: false });
      expect(answerTokens(model, { question, answer }).response).toEqual(alone);
      expect(openingToken(model, { question, answer })).toBe(alone[0]);
    }
  } finally {
    model.dispose();
  }
});
