import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { defineGenerate, type GenerateRequest } from '@safeinfer/harmeval';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AnswerContext, answerKeys } from './answer-key.ts';
import { openStore } from './open-store.ts';
import { collected, collectingGenerate, storedGenerate } from './stored-generate.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-stored-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ask = (text: string): GenerateRequest => ({
  id: text,
  prompt: { kind: 'raw', text },
  sampling: {},
  seed: 1,
});
const context = (...identities: [string, ...string[]]): AnswerContext => ({
  identities,
  maxNewTokens: 8,
  seed: null,
});

function counting(): { asked: string[]; generate: ReturnType<typeof defineGenerate> } {
  const asked: string[] = [];
  const generate = defineGenerate(async (requests) => {
    asked.push(...requests.map(({ id }) => id));
    return requests.map(({ id }) => ({ text: id.toUpperCase(), finishReason: 'stop' as const }));
  });
  return { asked, generate };
}

describe('collectingGenerate', () => {
  it('asks only for what is missing, equal rows once, and never under another identity', async () => {
    const { asked, generate } = counting();
    using store = openStore(join(folder, 's.sqlite'));
    const half = context('strength 0.5');
    const into = collected();
    const arm = collectingGenerate({ generate, context: half, store, into });
    await arm([ask('a'), ask('b'), ask('a')], {});
    expect(asked).toEqual(['a', 'b']);
    expect(store.size()).toBe(0);
    store.set(into.answers);
    const later = collectingGenerate({ generate, context: half, store, into: collected() });
    const texts = (await later([ask('c'), ask('b'), ask('a')], {})).map(({ text }) => text);
    expect(texts).toEqual(['C', 'B', 'A']);
    expect(asked).toEqual(['a', 'b', 'c']);
    const other = context('strength 0.6');
    await collectingGenerate({ generate, context: other, store, into: collected() })(
      [ask('a')],
      {},
    );
    expect(asked).toEqual(['a', 'b', 'c', 'a']);
  });

  it('takes an answer of a second identity: one with tokens serves a run without', async () => {
    const { asked, generate } = counting();
    using store = openStore(join(folder, 'two.sqlite'));
    const into = collected();
    const tokens = context('tokens');
    await collectingGenerate({ generate, context: tokens, store, into })([ask('a')], {});
    store.set(into.answers);
    const text = context('text', 'tokens');
    await collectingGenerate({ generate, context: text, store, into: collected() })([ask('a')], {});
    expect(asked).toEqual(['a']);
    // The other way round an answer without tokens is none.
    const plain = collected();
    await collectingGenerate({ generate, context: context('x'), store, into: plain })(
      [ask('b')],
      {},
    );
    store.set(plain.answers);
    const wants = context('x with tokens');
    await collectingGenerate({ generate, context: wants, store, into: collected() })(
      [ask('b')],
      {},
    );
    expect(asked).toEqual(['a', 'b', 'b']);
  });

  it('notes a row that fails alone, and remembers it', async () => {
    const generate = defineGenerate(async (requests) => {
      if (requests.some(({ id }) => id === 'bad')) throw new Error('too long');
      return requests.map(() => ({ text: 'x', finishReason: 'stop' as const }));
    });
    using store = openStore(join(folder, 'f.sqlite'));
    const into = collected();
    const arm = collectingGenerate({ generate, context: context('i'), store, into });
    await expect(arm([ask('a'), ask('bad')], {})).rejects.toThrow('too long');
    expect(into.failures.size).toBe(0);
    await expect(arm([ask('bad')], {})).rejects.toThrow('too long');
    expect([...into.failures.values()]).toEqual([
      { failureClass: 'permanent', message: 'too long' },
    ]);
    store.setFailures(into.failures);
    const stored = storedGenerate({ context: context('i'), store, batchSize: 4 });
    await expect(stored([ask('bad')], {})).rejects.toThrow('too long');
    await expect(stored([ask('never asked')], {})).rejects.toThrow('not in the store');
  });

  it('lets what is wrong with the run stop it', async () => {
    const broken = new SafeInferError('NaN in logits', { code: 'NON_FINITE', hint: '' });
    const generate = defineGenerate(async () => {
      throw broken;
    });
    const into = collected();
    const arm = collectingGenerate({ generate, context: context('i'), store: undefined, into });
    await expect(arm([ask('a')], {})).rejects.toThrow('NaN');
    expect(into.fatal).toBe(broken);
    expect(into.failures.size).toBe(0);
  });
});

describe('answerKeys', () => {
  it('change with the length of an answer and with the seed of draws', () => {
    const [key] = answerKeys(context('i'), ask('a').prompt);
    expect(answerKeys({ ...context('i'), maxNewTokens: 9 }, ask('a').prompt)[0]).not.toBe(key);
    expect(answerKeys({ ...context('i'), seed: 5 }, ask('a').prompt)[0]).not.toBe(key);
  });
});
