// JSON files with limits: what is refused before the parser can build it.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readJsonFile, readTextFile } from './read-json.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'read-json-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function file(content: string | Uint8Array): Promise<string> {
  const path = join(directory, 'file.json');
  await writeFile(path, content);
  return path;
}

const limits = { maxBytes: 50_000_000 };

describe('readJsonFile', () => {
  it('reads an object, and gives undefined where there is no file', async () => {
    expect(await readJsonFile(await file('{"a":"[{"}'), limits)).toEqual({ a: '[{' });
    expect(await readJsonFile(join(directory, 'absent', 'x'), limits)).toBeUndefined();
    const odd = await readJsonFile(await file('{"__proto__":{"x":1}}'), limits);
    expect(Object.keys(odd ?? {})).toEqual(['__proto__']);
    expect(odd?.['x']).toBeUndefined();
  });

  it.each([
    ['an array', '[]', /not an object/],
    ['text', '"x"', /not an object/],
    ['no JSON', '{', /not JSON/],
    ['nothing', '', /not JSON/],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /UTF-8/],
    ['deep nesting', `{"a":${'['.repeat(2_000_000)}`, /nests deeper/],
    ['millions of arrays', `{"a":[${'[],'.repeat(4_000_001)}0]}`, /more than 4000000/],
  ])('refuses %s', async (_, content, reason) => {
    await expect(readJsonFile(await file(content), limits)).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringMatching(reason),
    });
  });

  it('refuses a file above its limit, a directory and a pipe without waiting', async () => {
    const large = await file(`{"a":"${'x'.repeat(100)}"}`);
    await expect(readJsonFile(large, { maxBytes: 50 })).rejects.toMatchObject({ code: 'BAD_FILE' });
    await expect(readTextFile(directory, limits)).rejects.toMatchObject({ code: 'BAD_FILE' });
    const pipe = join(directory, 'pipe');
    await promisify(execFile)('mkfifo', [pipe]);
    await expect(readJsonFile(pipe, limits)).rejects.toMatchObject({ code: 'BAD_FILE' });
  });
});
