// A tokenizer in the layout of Llama 2: a space before every text, merges over spaces, <s> in front.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createRandomModel,
  loadTokenizer,
  randomConfig,
  type Transformer,
} from '@safeinfer/transformer';

const SPECIAL = ['<unk>', '<s>', '</s>'];
const WORDS = ['I', 'Sure', 'Sorry', 'cannot', 'help', 'What', 'is', 'this', 'Be', 'safe'];
const characters = [
  ...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)),
  '\n',
  '▁',
];

/** Without `template` a model that reads raw text. The tokens are Llama's own spelling: `▁Sure` is one of them. */
export async function sentencePieceModel(template?: string): Promise<Transformer> {
  const merges: [string, string][] = [];
  for (const word of WORDS) {
    for (let end = 0; end < word.length; end += 1)
      merges.push([`▁${word.slice(0, end)}`, word.charAt(end)]);
  }
  const entries = new Set([...SPECIAL, ...characters, ...merges.map((pair) => pair.join(''))]);
  const directory = mkdtempSync(join(tmpdir(), 'safeinfer-sentence-piece-'));
  const write = (name: string, value: unknown): void =>
    writeFileSync(join(directory, name), JSON.stringify(value));
  try {
    write('tokenizer.json', {
      added_tokens: SPECIAL.map((content, id) => ({
        id,
        content,
        normalized: false,
        special: true,
      })),
      normalizer: {
        type: 'Sequence',
        normalizers: [
          { type: 'Prepend', prepend: '▁' },
          { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
        ],
      },
      pre_tokenizer: null,
      post_processor: {
        type: 'TemplateProcessing',
        single: [
          { SpecialToken: { id: '<s>', type_id: 0 } },
          { Sequence: { id: 'A', type_id: 0 } },
        ],
        pair: [],
        special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
      },
      decoder: {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
          { type: 'Fuse' },
          { type: 'Strip', content: ' ', start: 1, stop: 0 },
        ],
      },
      model: {
        type: 'BPE',
        unk_token: '<unk>',
        vocab: Object.fromEntries([...entries].map((entry, id) => [entry, id])),
        merges,
      },
    });
    write('tokenizer_config.json', {
      bos_token: '<s>',
      eos_token: '</s>',
      ...(template === undefined ? {} : { chat_template: template }),
    });
    const tokenizer = await loadTokenizer(directory);
    const config = randomConfig({ dModel: 4, nHeads: 1, nLayers: 1, vocabSize: entries.size });
    return createRandomModel({ seed: 1, tokenizer, config: { ...config, bosTokenId: 1 } });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
