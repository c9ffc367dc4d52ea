import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineGenerate, type GenerateRequest } from '@safeinfer/harmeval';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from './open-store.ts';
import { storedGenerate } from './stored-generate.ts';

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

describe('storedGenerate', () => {
  it('asks only for what is missing, in any order, and never under another identity', async () => {
    const asked: string[] = [];
    const generate = defineGenerate(async (requests) => {
      asked.push(...requests.map(({ id }) => id));
      return requests.map(({ id }) => ({ text: id.toUpperCase(), finishReason: 'stop' as const }));
    });
    using store = openStore(join(folder, 's.sqlite'));
    const arm = storedGenerate({ generate, identity: 'strength 0.5', store });
    await arm([ask('a'), ask('b')], {});
    const texts = (await arm([ask('c'), ask('b'), ask('a')], {})).map(({ text }) => text);
    expect(texts).toEqual(['C', 'B', 'A']);
    expect(asked).toEqual(['a', 'b', 'c']);
    await storedGenerate({ generate, identity: 'strength 0.6', store })([ask('a')], {});
    expect(asked).toEqual(['a', 'b', 'c', 'a']);
  });

  it('stores nothing of a batch that failed', async () => {
    let fail = true;
    const generate = defineGenerate(async (requests) => {
      if (fail) throw new Error('no');
      return requests.map(() => ({ text: 'x', finishReason: 'stop' as const }));
    });
    using store = openStore(join(folder, 'f.sqlite'));
    const arm = storedGenerate({ generate, identity: 'i', store });
    await expect(arm([ask('a')], {})).rejects.toThrow('no');
    expect(store.size()).toBe(0);
    fail = false;
    await arm([ask('a')], {});
    expect(store.size()).toBe(1);
  });
});
