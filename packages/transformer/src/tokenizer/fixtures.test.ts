// Reference encodings of six tokenizers, made by other implementations (Rust, C++), all exact.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../loading/read-json.ts';
import { createTokenizer, loadTokenizer, type Tokenizer } from './tokenizer.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const models = join(process.env['SAFEINFER_SHARED'] ?? join(root, '..', 'shared'), 'models');
const fixtures = join(models, 'tokenizer-fixtures');

/** Reference data is not part of the repository: without it these tests are skipped visibly. */
const present = existsSync(fixtures);

interface Case {
  readonly text: string;
  readonly ids: readonly number[];
  readonly decoded?: string;
  readonly decodedPlain?: string;
}

const json = async <T>(...path: string[]): Promise<T> =>
  JSON.parse(await readFile(join(fixtures, ...path), 'utf8')) as T;

async function llamaCpp(name: string): Promise<Case[]> {
  const texts = (await readFile(join(fixtures, 'llama.cpp', 'vocab-test.inp'), 'utf8')).split(
    '\n__ggml_vocab_test__\n',
  );
  const lines = (await readFile(join(fixtures, 'llama.cpp', name), 'utf8')).split('\n');
  expect(lines.length).toBe(47);
  return lines.map((line, i) => ({
    text: texts[i] ?? '',
    ids: line.split(' ').filter(Boolean).map(Number),
  }));
}

async function tokenizersJs(model: string): Promise<Case[]> {
  const { models: all } = await json<{ models: Record<string, Record<string, Case>> }>(
    'tokenizers.js',
    'encodings.json',
  );
  return Object.values(all[model] ?? {});
}

async function swift(model: string): Promise<Case[]> {
  interface SwiftCase {
    readonly input: string;
    readonly encoded: { readonly input_ids: number[] };
    readonly decoded_with_special: string;
    readonly decoded_without_special: string;
  }
  const all = await json<Record<string, SwiftCase[]>>('swift-transformers', 'tokenizer_tests.json');
  return (all[model] ?? []).map((entry) => ({
    text: entry.input,
    ids: entry.encoded.input_ids,
    decoded: entry.decoded_with_special,
    decodedPlain: entry.decoded_without_special,
  }));
}

async function swiftLong(file: string): Promise<Case[]> {
  const entry = await json<{ text: string; token_ids: number[]; decoded_text: string }>(
    'swift-transformers',
    file,
  );
  return [{ text: entry.text, ids: entry.token_ids, decoded: entry.decoded_text }];
}

interface Multilingual {
  readonly input_ids: number[];
  readonly decoded_with_special: string;
  readonly decoded_skip_special: string;
}

async function multilingual(model: string): Promise<Case[]> {
  const folder = 'multilingual-00cb4cf';
  const inputs = await json<{ id: string; text: string }[]>(
    'swift-transformers',
    folder,
    'inputs.json',
  );
  const { entries } = await json<{ entries: (Multilingual & { id: string })[] }>(
    'swift-transformers',
    folder,
    model,
  );
  const texts = new Map(inputs.map(({ id, text }) => [id, text]));
  return entries.map((entry) => multilingualCase(texts.get(entry.id) ?? '', entry));
}

async function multilingualSmall(model: string): Promise<Case[]> {
  const folder = 'multilingual-3afc5a9';
  const { inputs } = await json<{ inputs: { id: string; text: string }[] }>(
    'swift-transformers',
    folder,
    'inputs.json',
  );
  const { entries } = await json<{ entries: Record<string, Multilingual> }>(
    'swift-transformers',
    folder,
    model,
  );
  return inputs.map(({ id, text }) => multilingualCase(text, entries[id] as Multilingual));
}

function multilingualCase(text: string, entry: Multilingual): Case {
  return {
    text,
    ids: entry.input_ids,
    decoded: entry.decoded_with_special,
    decodedPlain: entry.decoded_skip_special,
  };
}

interface Suite {
  readonly name: string;
  readonly count: number;
  readonly cases: () => Promise<Case[]>;
  /** The decoded texts were made with clean_up_tokenization_spaces, which exact decoding leaves out. */
  readonly cleanedUp?: true;
}

/** The part of transformers' clean-up that these texts meet. */
function cleanUp(text: string): string {
  return text.replace(/ ([.?!,])/g, '$1').replace(/ (n't|'m|'s|'ve|'re)/g, '$1');
}

const suites: Record<string, readonly Suite[]> = {
  gpt2: [
    { name: 'llama.cpp gpt-2', count: 47, cases: () => llamaCpp('gpt-2.out') },
    {
      name: 'tokenizers.js gpt2',
      count: 26,
      cases: () => tokenizersJs('Xenova/gpt2'),
      cleanedUp: true,
    },
    { name: 'swift distilgpt2', count: 18, cases: () => swift('distilgpt2'), cleanedUp: true },
    { name: 'swift long text', count: 1, cases: () => swiftLong('gpt2_encoded_tokens.json') },
    { name: 'multilingual', count: 83, cases: () => multilingual('gpt2_multilingual.json') },
    {
      name: 'multilingual, small',
      count: 30,
      cases: () => multilingualSmall('openai-community__gpt2.json'),
    },
  ],
  'qwen2.5': [
    { name: 'llama.cpp qwen2', count: 47, cases: () => llamaCpp('qwen2.out') },
    { name: 'llama.cpp r1-qwen', count: 47, cases: () => llamaCpp('deepseek-r1-qwen.out') },
    { name: 'tokenizers.js', count: 25, cases: () => tokenizersJs('Xenova/Qwen1.5-0.5B-Chat') },
    { name: 'multilingual', count: 83, cases: () => multilingual('qwen2_5_multilingual.json') },
    {
      name: 'multilingual, small',
      count: 30,
      cases: () => multilingualSmall('Qwen__Qwen2.5-0.5B.json'),
    },
  ],
  'phi-3-mini': [
    { name: 'llama.cpp phi-3', count: 47, cases: () => llamaCpp('phi-3.out') },
    { name: 'llama.cpp llama-spm', count: 47, cases: () => llamaCpp('llama-spm.out') },
    { name: 'tokenizers.js', count: 37, cases: () => tokenizersJs('Xenova/llama-tokenizer') },
    {
      name: 'swift Llama-2',
      count: 18,
      cases: () => swift('coreml-projects/Llama-2-7b-chat-coreml'),
    },
    { name: 'swift long text', count: 1, cases: () => swiftLong('llama_encoded.json') },
    { name: 'multilingual', count: 83, cases: () => multilingual('tinyllama_multilingual.json') },
    {
      name: 'multilingual, small',
      count: 30,
      cases: () => multilingualSmall('TinyLlama__TinyLlama-1.1B-Chat-v1.0.json'),
    },
  ],
  'gpt-neox': [{ name: 'llama.cpp mpt', count: 47, cases: () => llamaCpp('mpt.out') }],
};

async function load(name: string): Promise<Tokenizer> {
  const folder = join(models, 'tokenizers', name);
  if (name !== 'gpt-neox') return loadTokenizer(folder);
  // This one lies under another file name.
  const text = await readFile(join(folder, '20B_tokenizer.json'), 'utf8');
  return createTokenizer({ tokenizer: JSON.parse(text) as JsonObject, config: {} });
}

describe.runIf(present).each(Object.entries(suites))('%s', (name, list) => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await load(name);
  });

  it.each(list)('$name: $count of $count', async ({ cases, count, cleanedUp }) => {
    const all = await cases();
    expect(all.length).toBe(count);
    const failures = all.flatMap(({ text, ids, decoded, decodedPlain }) => {
      // Llama 2 and TinyLlama put BOS (id 1) first; phi-3, with the same vocabulary, does not.
      const expected = name === 'phi-3-mini' && ids[0] === 1 ? ids.slice(1) : ids;
      const actual = tokenizer.encode(text);
      const problems: unknown[] = [];
      if (JSON.stringify(actual) !== JSON.stringify(expected))
        problems.push({ text, actual, expected });
      for (const [wanted, skipSpecialTokens] of [
        [decoded, false],
        [decodedPlain, true],
      ] as const) {
        if (wanted === undefined) continue;
        const exact = tokenizer.decode(ids, { skipSpecialTokens });
        const text = cleanedUp ? cleanUp(exact) : exact;
        if (text !== wanted) problems.push({ text, wanted });
      }
      return problems;
    });
    expect(failures).toEqual([]);
  });
});

describe.runIf(present)('mistral', () => {
  const controls = /(<s>|<\/s>|\[\/?[A-Z_]+\])/;

  /** Control tokens by name, what stands between them encoded alone: how mistral-common does it. */
  function encodeByPieces(tokenizer: Tokenizer, text: string): number[] {
    const ids: number[] = [];
    let pending = '';
    const encodePending = (): void => {
      // The fixture spells SentencePiece pieces: a byte as <0x0A>, a space as U+2581, one in front.
      const bytes = pending.replace(/<0x([0-9A-F]{2})>/g, (_, hex) =>
        String.fromCharCode(Number.parseInt(hex as string, 16)),
      );
      const plain = bytes.replaceAll('\u2581', ' ').replace(/^ /, '');
      if (pending !== '') ids.push(...tokenizer.encode(plain, { addSpecialTokens: false }));
      pending = '';
    };
    for (const piece of text.split(controls)) {
      const control = controls.test(piece) ? tokenizer.vocabId(piece) : undefined;
      if (control === undefined) {
        // v1 has no [INST] token and spells it in pieces.
        pending += piece;
      } else {
        encodePending();
        ids.push(control);
      }
    }
    encodePending();
    return ids;
  }

  const loadVersion = async (version: number): Promise<Tokenizer> => {
    const file = join(models, 'tokenizers', 'mistral', `tokenizer.v${version}.json`);
    const tokenizer = JSON.parse(await readFile(file, 'utf8')) as JsonObject;
    return createTokenizer({ tokenizer, config: {} });
  };
  let v1: Promise<Tokenizer>;
  let v3: Promise<Tokenizer>;
  beforeAll(() => {
    v1 = loadVersion(1);
    v3 = loadVersion(3);
  });

  const conversations = [
    'get_weather_full',
    'get_weather_no_history',
    'get_weather_no_system_prompt',
    'no_tools',
    'parallel_calls',
    'several_calls',
  ];
  const texts = [
    { conversation: 'no_tools', version: 1 },
    ...conversations.flatMap((conversation) => [
      { conversation, version: 2 },
      { conversation, version: 3 },
    ]),
  ];

  it.each(texts)('$conversation, v$version', async ({ conversation, version }) => {
    // v2 uses the tokens of v3.
    const tokenizer = await (version === 1 ? v1 : v3);
    const folder = join(fixtures, 'mistral-common', conversation);
    const text = await readFile(join(folder, `text_v${version}.txt`), 'utf8');
    const { tokens } = await json<{ tokens: number[] }>(
      'mistral-common',
      conversation,
      `tokens_v${version}.json`,
    );
    expect(encodeByPieces(tokenizer, text)).toEqual(tokens);
  });
});

describe.runIf(present)('phi-2', () => {
  it('loads, with the added tokens that stand for runs of spaces', async () => {
    const tokenizer = await load('phi-2');
    expect(tokenizer.vocabSize).toBe(50_295);
    const indented = tokenizer.encode('a\n        b');
    expect(tokenizer.strTokens(indented)).toEqual(['a', '\n', '        ', 'b']);
    expect(tokenizer.decode(indented)).toBe('a\n        b');
  });
});
