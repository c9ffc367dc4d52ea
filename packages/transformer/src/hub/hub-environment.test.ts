// The environment variables of the Hub, in Python's order, compared with Python where it is there.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readHubEnvironment, readHubToken } from './hub-environment.ts';

const python = join(homedir(), '.cache', 'safeinfer-parity-venv', 'bin', 'python');
const home = '/home/ada';
const cases: readonly [Record<string, string>, string][] = [
  [{}, '/home/ada/.cache/huggingface/hub'],
  [{ XDG_CACHE_HOME: '/xdg' }, '/xdg/huggingface/hub'],
  [{ XDG_CACHE_HOME: '/xdg', HF_HOME: '~/hf' }, '/home/ada/hf/hub'],
  [{ HF_HOME: '$BASE/hf', BASE: '/data' }, '/data/hf/hub'],
  [{ HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/old' }, '/old'],
  [{ HUGGINGFACE_HUB_CACHE: '/old', HF_HUB_CACHE: '/new' }, '/new'],
  [{ HF_HUB_CACHE: `${'$'}{BASE}/x/$UNSET_NAME`, BASE: '/data' }, '/data/x/$UNSET_NAME'],
];

describe('readHubEnvironment', () => {
  it.each(cases)('%j -> %s', (variables, cache) => {
    expect(readHubEnvironment({ HOME: home, ...variables }).cacheDirectory).toBe(cache);
  });

  it.runIf(existsSync(python))(
    'agrees with Python on every case',
    async () => {
      const script = 'from huggingface_hub import constants\nprint(constants.HF_HUB_CACHE)';
      for (const [variables, cache] of cases) {
        const { stdout } = await promisify(execFile)(python, ['-c', script], {
          env: { HOME: home, ...variables },
        });
        expect(stdout.trim()).toBe(cache);
      }
    },
    240_000,
  );

  it('reads the endpoint and offline mode', () => {
    expect(readHubEnvironment({}).endpoint).toBe('https://huggingface.co');
    expect(readHubEnvironment({ HF_ENDPOINT: 'https://mirror.example/' }).endpoint).toBe(
      'https://mirror.example',
    );
    for (const value of ['1', 'true', 'Yes', 'on']) {
      expect(readHubEnvironment({ HF_HUB_OFFLINE: value }).offline).toBe(true);
      expect(readHubEnvironment({ TRANSFORMERS_OFFLINE: value }).offline).toBe(true);
    }
    for (const value of ['0', 'no', '']) {
      expect(readHubEnvironment({ HF_HUB_OFFLINE: value }).offline).toBe(false);
    }
    expect(readHubEnvironment({ HF_HUB_OFFLINE: '0', TRANSFORMERS_OFFLINE: '1' }).offline).toBe(
      false,
    );
  });
});

describe('readHubToken', () => {
  it('takes HF_TOKEN, then the file, and none when told so', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'hub-token-'));
    await mkdir(join(directory, 'hf'));
    await writeFile(join(directory, 'hf', 'token'), 'from-file\n');
    await writeFile(join(directory, 'other'), 'from-path');
    const files = { HOME: directory, HF_HOME: '~/hf' };
    expect(await readHubToken({ ...files, HF_TOKEN: ' given\n' })).toBe('given');
    expect(await readHubToken(files)).toBe('from-file');
    expect(await readHubToken({ ...files, HF_TOKEN_PATH: '~/other' })).toBe('from-path');
    expect(await readHubToken({ HOME: directory })).toBeUndefined();
    expect(await readHubToken({ ...files, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toBeUndefined();
    await rm(directory, { recursive: true });
  });
});
