// Model directories: round trip through this package and through Hugging Face, nothing half done.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../safetensors/checkpoint.ts';
import type { TensorToWrite } from '../safetensors/write-safetensors.ts';
import { readJsonFile } from './read-json.ts';
import { writeModelDirectory } from './write-model-directory.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const checkExport = fileURLToPath(
  new URL('../../../../tools/parity/check_export.py', import.meta.url),
);
const python = join(homedir(), '.cache', 'safeinfer-parity-venv', 'bin', 'python');
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'write-model-'));
});
afterAll(() => rm(root, { recursive: true }));

/** Logits of each directory by transformers; one process, since importing torch takes longest. */
async function logitsOf(directories: readonly string[]): Promise<unknown[]> {
  const code = `
import runpy, sys
program, *directories = sys.argv[1:]
for directory in directories:
    sys.argv = [program, directory, "--ids", "[[1, 5, 9, 2], [7, 3]]"]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise`;
  const args = ['-c', code, checkExport, ...directories];
  const { stdout } = await promisify(execFile)(python, args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

/** Copies a fixture tensor by tensor, without converting any of it. */
async function copyModel(name: string, maxShardBytes: number): Promise<string> {
  const source = join(fixtures, name);
  const path = join(root, name);
  await using checkpoint = await openCheckpoint(source);
  const tensors = [...checkpoint.tensors].map(
    ([tensor, { dtype, shape }]): TensorToWrite => ({
      name: tensor,
      dtype,
      shape,
      data: () => checkpoint.readRaw(tensor),
    }),
  );
  const config = await readJsonFile(join(source, 'config.json'), { maxBytes: 1_000_000 });
  const seen: number[] = [];
  await writeModelDirectory({
    path,
    config: config ?? {},
    tensors,
    maxShardBytes,
    onProgress: ({ bytes, totalBytes }) => seen.push(bytes / totalBytes),
  });
  expect(seen.at(-1)).toBe(1);
  return path;
}

describe('writeModelDirectory', () => {
  it.runIf(existsSync(python) && existsSync(checkExport))(
    'copies sharded, bf16 and tied models so that transformers computes the same logits',
    async () => {
      const names = ['llama-sharded', 'llama-bf16', 'gpt2'];
      const paths = [
        await copyModel('llama-sharded', 40_000),
        await copyModel('llama-bf16', 1e9),
        await copyModel('gpt2', 1e9),
      ];
      const shards = await Promise.all(
        paths.map(async (path) => (await readdir(path)).filter((f) => f.endsWith('.safetensors'))),
      );
      expect(shards.map(({ length }) => length > 1)).toEqual([true, false, false]);
      const logits = await logitsOf([...names.map((name) => join(fixtures, name)), ...paths]);
      expect(logits).toHaveLength(6);
      expect(logits.slice(3)).toEqual(logits.slice(0, 3));
    },
    300_000,
  );

  const one = (name: string, value: number): TensorToWrite => ({
    name,
    dtype: 'F32',
    shape: [1],
    data: Float32Array.of(value),
  });

  it('replaces an earlier model of any layout and keeps other files', async () => {
    const path = await mkdtemp(join(root, 'replace-'));
    await writeFile(join(path, 'notes.txt'), 'mine');
    const read = async (): Promise<number | undefined> => {
      await using checkpoint = await openCheckpoint(path);
      return (await checkpoint.read('b')).data[0];
    };
    await writeModelDirectory({ path, config: { n: 1 }, tensors: [one('a', 1), one('b', 2)] });
    expect(await read()).toBe(2);
    const tensors = [one('a', 3), one('b', 4)];
    await writeModelDirectory({ path, config: { n: 2 }, tensors, maxShardBytes: 4 });
    expect(await read()).toBe(4);
    expect((await readdir(path)).sort()).toEqual([
      'config.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
      'notes.txt',
    ]);
    await writeModelDirectory({ path, config: { n: 3 }, tensors: [one('b', 5)] });
    expect(await read()).toBe(5);
    expect((await readdir(path)).sort()).toEqual(['config.json', 'model.safetensors', 'notes.txt']);
  });

  it('copies the files of a tokenizer and no weights', async () => {
    const source = await mkdtemp(join(root, 'source-'));
    const wanted = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'];
    for (const name of [...wanted, 'pytorch_model.bin', 'model.safetensors', 'README.md']) {
      await writeFile(join(source, name), name);
    }
    const path = join(root, 'with-tokenizer');
    await writeModelDirectory({ path, config: {}, tensors: [one('a', 1)], copyFrom: source });
    expect((await readdir(path)).sort()).toEqual(
      ['config.json', 'model.safetensors', ...wanted].sort(),
    );
    await expect(
      writeModelDirectory({ path, config: {}, tensors: [], copyFrom: join(root, 'absent') }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('leaves the earlier model as it was when it is aborted or refused', async () => {
    const path = await mkdtemp(join(root, 'abort-'));
    await writeModelDirectory({ path, config: { n: 1 }, tensors: [one('a', 1)] });
    const before = await readFile(join(path, 'model.safetensors'));
    const abort = new AbortController();
    const attempts = [
      {
        tensors: [one('a', 2), one('b', 3)],
        onProgress: () => abort.abort(),
        signal: abort.signal,
      },
      { tensors: [one('a', 2), one('a', 3)] },
      { tensors: [{ ...one('a', 2), shape: [9] }] },
      { tensors: [one('a', 2)], maxShardBytes: 0 },
    ];
    for (const attempt of attempts) {
      await expect(writeModelDirectory({ path, config: {}, ...attempt })).rejects.toMatchObject({
        code: expect.stringMatching(/ABORTED|BAD_ARGUMENT/),
      });
      expect(await readFile(join(path, 'model.safetensors'))).toEqual(before);
      expect(await readFile(join(path, 'config.json'), 'utf8')).toContain('"n": 1');
      expect((await readdir(path)).sort()).toEqual(['config.json', 'model.safetensors']);
    }
  });
});
