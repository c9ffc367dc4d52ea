// Mutated tokenizers: a typed error, or a tokenizer that encodes and decodes without a crash.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isJsonObject, type JsonObject } from '../loading/read-json.ts';
import { hostileRun, tally } from '../loading/testing/hostile-run.ts';
import { byteMutation, jsonMutation } from '../loading/testing/mutations.ts';
import { createTokenizer, loadTokenizer, type Tokenizer } from './tokenizer.ts';

const texts = ['The quick brown fox', '<s> 😀 été\n\n12345<|user|> x', ''];
let directory: string;
const tokenizers: JsonObject[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fuzz-tokenizer-'));
  for (const name of ['byte-llama3', 'byte-digits', 'spm-llama', 'metaspace', 'unigram']) {
    const path = new URL(`./fixtures/${name}.json`, import.meta.url);
    const { tokenizer } = JSON.parse(await readFile(path, 'utf8')) as { tokenizer: JsonObject };
    tokenizers.push(tokenizer);
  }
});
afterAll(() => rm(directory, { recursive: true }));

function use(tokenizer: Tokenizer): void {
  for (const text of texts) {
    const ids = tokenizer.encode(text);
    expect(ids.every((id) => Number.isSafeInteger(id) && id >= 0)).toBe(true);
    const decoded = tokenizer.decode(ids);
    const stream = tokenizer.createStreamDecoder();
    expect(ids.map((id) => stream.push(id)).join('') + stream.flush()).toBe(decoded);
    tokenizer.strTokens(ids);
  }
}

/** The vocabulary would take most random edits; the interesting parts are the small ones. */
function withoutVocabulary(tokenizer: JsonObject): { small: JsonObject; model: JsonObject } {
  const { model } = tokenizer;
  if (!isJsonObject(model)) throw new Error('the fixture has no model');
  const { vocab, merges, ...small } = model;
  return { small: { ...tokenizer, model: small }, model: { vocab, merges } };
}

describe('mutated tokenizer.json', () => {
  it('2,500 with edited values give a typed error or a working tokenizer', async () => {
    const outcomes = tally();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(4),
        jsonMutation,
        fc.boolean(),
        async (which, mutate, editVocabulary) => {
          const tokenizer = tokenizers[which] as JsonObject;
          outcomes.add(
            await hostileRun(() => {
              const { small, model } = withoutVocabulary(tokenizer);
              const edited = mutate(editVocabulary ? tokenizer : small);
              const mutated =
                !editVocabulary && isJsonObject(edited) && isJsonObject(edited['model'])
                  ? { ...edited, model: { ...edited['model'], ...model } }
                  : edited;
              use(createTokenizer({ tokenizer: mutated as JsonObject, config: {} }));
            }),
          );
        },
      ),
      { numRuns: 2_500, seed: 21 },
    );
    expect(outcomes.counts.get('BAD_TOKENIZER')).toBeGreaterThan(200);
    expect(outcomes.counts.get('ok')).toBeGreaterThan(200);
  }, 240_000);

  it('500 with edited bytes, and a config with edited values, give a typed error or work', async () => {
    const path = join(directory, 'tokenizer.json');
    const config = { bos_token: '<s>', eos_token: { content: '</s>' }, chat_template: 'x' };
    const outcomes = tally();
    await fc.assert(
      fc.asyncProperty(fc.nat(4), byteMutation, jsonMutation, async (which, mutate, edit) => {
        await writeFile(path, mutate(Buffer.from(JSON.stringify(tokenizers[which]))));
        await writeFile(
          join(directory, 'tokenizer_config.json'),
          JSON.stringify(edit(config)) ?? '',
        );
        outcomes.add(await hostileRun(async () => use(await loadTokenizer(directory))));
      }),
      { numRuns: 500, seed: 22 },
    );
    expect(outcomes.counts.get('BAD_FILE')).toBeGreaterThan(100);
    expect(outcomes.counts.get('ok')).toBeGreaterThan(20);
  }, 240_000);
});
