// Single and sharded checkpoints, and the refusals of broken ones.
import { copyFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from './checkpoint.ts';

const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
const sharded = join(fixtures, 'sharded');
const first = 'model-00001-of-00002.safetensors';
const second = 'model-00002-of-00002.safetensors';
let root: string;
let copies = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'checkpoint-'));
});
afterAll(() => rm(root, { recursive: true }));

async function shardedWith(weightMap: unknown): Promise<string> {
  const directory = join(root, String(copies++));
  await cp(sharded, directory, { recursive: true });
  await writeFile(
    join(directory, 'model.safetensors.index.json'),
    typeof weightMap === 'string' ? weightMap : JSON.stringify({ weight_map: weightMap }),
  );
  return directory;
}

describe('openCheckpoint', () => {
  it('reads shards that Python wrote as one checkpoint', async () => {
    await using checkpoint = await openCheckpoint(sharded);
    expect(checkpoint.files).toEqual([first, second]);
    expect(checkpoint.tensors.get('c')).toMatchObject({ dtype: 'BF16', shape: [4], file: second });
    expect([...(await checkpoint.read('a')).data]).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...(await checkpoint.read('a', { rows: [1, 2] })).data]).toEqual([3, 4, 5]);
    expect([...(await checkpoint.read('c')).data]).toEqual([0, 1, 2, 3]);
    expect([...(await checkpoint.readFloat64('b'))]).toEqual([1.5]);
    expect((await checkpoint.readRaw('c')).length).toBe(8);
    await expect(checkpoint.read('d')).rejects.toMatchObject({ code: 'BAD_WEIGHTS' });
  });

  it('prefers the single file, as transformers does, and opens a file by its path', async () => {
    const directory = await shardedWith({ a: first });
    await copyFile(join(sharded, second), join(directory, 'model.safetensors'));
    await using checkpoint = await openCheckpoint(directory);
    expect([...checkpoint.tensors.keys()]).toEqual(['c']);
    await using direct = await openCheckpoint(join(sharded, first));
    expect([...direct.tensors.keys()].sort()).toEqual(['a', 'b']);
  });

  it('reports tensors of a shard that the index does not list', async () => {
    await using checkpoint = await openCheckpoint(await shardedWith({ a: first, c: second }));
    expect(checkpoint.unlisted).toEqual(['b']);
    await expect(checkpoint.read('b')).rejects.toMatchObject({ code: 'BAD_WEIGHTS' });
  });

  it.each([
    '../model.safetensors',
    '/etc/model.safetensors',
    'sub/model.safetensors',
    'sub\\model.safetensors',
    'C:model.safetensors',
    '..',
    '.safetensors',
    '.hidden.safetensors',
    'pytorch_model.bin',
    'a\u0000.safetensors',
    '',
  ])('refuses the shard name %j', async (file) => {
    await expect(openCheckpoint(await shardedWith({ a: file }))).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringContaining('plain .safetensors file name'),
    });
  });

  it.each([
    ['not JSON', '{', /JSON/],
    ['no map', '{}', /weight_map/],
    ['an array', '{"weight_map":[]}', /weight_map/],
    ['an empty map', '{"weight_map":{}}', /empty/],
    ['a number', '{"weight_map":{"a":1}}', /no file name/],
  ])('refuses an index that is %s', async (_, text, reason) => {
    await expect(openCheckpoint(await shardedWith(text))).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringMatching(reason),
    });
  });

  it('names the shard that a misplaced tensor is in, and one that is nowhere', async () => {
    const wrong = await shardedWith({ a: second, c: second, b: first });
    await expect(openCheckpoint(wrong)).rejects.toMatchObject({
      code: 'BAD_WEIGHTS',
      message: expect.stringContaining(`places "a" in ${second}, but it lies in ${first}`),
    });
    const nowhere = await shardedWith({ a: first, ['__proto__']: second });
    await expect(openCheckpoint(nowhere)).rejects.toMatchObject({
      code: 'BAD_WEIGHTS',
      message: expect.stringContaining('"__proto__"'),
    });
  });

  it('refuses a missing shard, a missing directory and one without weights', async () => {
    const missing = await shardedWith({ a: 'model-00003-of-00003.safetensors' });
    await expect(openCheckpoint(missing)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(openCheckpoint(join(root, 'absent'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(openCheckpoint(root)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('refuses pickled weights and says how to convert them', async () => {
    const directory = await mkdtemp(join(root, 'pickle-'));
    await writeFile(join(directory, 'pytorch_model.bin'), '');
    await expect(openCheckpoint(directory)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining('save_pretrained'),
    });
  });
});
