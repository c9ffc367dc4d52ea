// The resolver and the downloader against a Hub on loopback, and against Python's own client.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../safetensors/checkpoint.ts';
import type { DownloadProgress } from './download-model.ts';
import { findInCache } from './hub-cache.ts';
import type { Environment } from './hub-environment.ts';
import { type ResolveModelOptions, resolveModel } from './resolve-model.ts';
import { type HubServer, startHubServer } from './testing/hub-server.ts';

const sharded = fileURLToPath(new URL('../safetensors/fixtures/sharded/', import.meta.url));
const python = join(homedir(), '.cache', 'safeinfer-parity-venv', 'bin', 'python');
const repo = 'acme/tiny-model';
const first = 'model-00001-of-00002.safetensors';
const second = 'model-00002-of-00002.safetensors';
const folderName = 'models--acme--tiny-model';

let root: string;
let cache: string;
let files: Map<string, Buffer>;
let environment: Environment;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'hub-'));
  files = new Map([
    ['config.json', Buffer.from('{"model_type":"llama"}')],
    ['tokenizer.json', Buffer.from('{"model":{"vocab":{}}}')],
    ['README.md', Buffer.from('# not needed')],
    ['pytorch_model.bin', Buffer.from('not wanted')],
    ['onnx/model.onnx', Buffer.from('not wanted')],
    ['additional_chat_templates/tool_use.jinja', Buffer.from('tools')],
    ['empty.json', Buffer.alloc(0)],
  ]);
  for (const name of await readdir(sharded)) {
    files.set(name, await readFile(join(sharded, name)));
  }
});
afterAll(() => rm(root, { recursive: true }));
beforeEach(async () => {
  cache = await mkdtemp(join(root, 'cache-'));
});

function options(server: HubServer, extra: ResolveModelOptions = {}): ResolveModelOptions {
  environment = {
    HF_HUB_CACHE: cache,
    HF_ENDPOINT: server.endpoint,
    HF_TOKEN: 'secret',
    HOME: root,
  };
  return { environment, retryDelayMs: 1, timeoutMs: 5_000, ...extra };
}

async function runPython(script: string, variables: Record<string, string>): Promise<string> {
  const { stdout } = await promisify(execFile)(python, ['-c', script], {
    env: {
      ...process.env,
      NO_PROXY: '*',
      HF_HUB_DISABLE_XET: '1',
      HF_HUB_DISABLE_TELEMETRY: '1',
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
      HF_HOME: join(root, 'python-home'),
      ...variables,
    },
  });
  return stdout.trim();
}

describe('downloading', () => {
  it('fetches what a model needs, as blobs behind relative links, and then works offline', async () => {
    await using server = await startHubServer(repo, files);
    const progress: DownloadProgress[] = [];
    const directory = await resolveModel(
      repo,
      options(server, { onProgress: (step) => progress.push(step) }),
    );
    expect(directory).toBe(join(cache, folderName, 'snapshots', server.commit));
    expect((await readdir(directory)).sort()).toEqual([
      'additional_chat_templates',
      'config.json',
      'empty.json',
      first,
      second,
      'model.safetensors.index.json',
      'tokenizer.json',
    ]);
    expect(await readFile(join(cache, folderName, 'refs', 'main'), 'utf8')).toBe(server.commit);
    expect(await readlink(join(directory, first))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(await readlink(join(directory, 'config.json'))).toMatch(
      /^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/,
    );
    expect(await readlink(join(directory, 'additional_chat_templates/tool_use.jinja'))).toMatch(
      /^\.\.\/\.\.\/\.\.\/blobs\//,
    );
    await using checkpoint = await openCheckpoint(directory);
    expect([...(await checkpoint.read('c')).data]).toEqual([0, 1, 2, 3]);
    const last = progress.at(-1);
    expect(last?.bytes).toBe(last?.totalBytes);
    expect(last?.secondsLeft).toBe(0);
    expect(progress.every(({ bytes, totalBytes }) => bytes <= totalBytes)).toBe(true);
    const leftovers = await readdir(join(cache, folderName, 'blobs'));
    expect(leftovers.filter((name) => !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name))).toEqual([]);
    const requests = server.log.length;
    expect(await resolveModel(repo, options(server))).toBe(directory);
    expect(await resolveModel(repo, options(server, { revision: server.commit }))).toBe(directory);
    expect(server.log.length).toBe(requests);
  });

  it('sends the token to the Hub and never to the host it redirects to', async () => {
    await using server = await startHubServer(repo, files);
    await resolveModel(repo, options(server));
    const [hub, storage] = ['hub', 'storage'].map((host) =>
      server.log.filter((line) => line.split(' ')[1] === host),
    );
    expect(storage?.length).toBe(2);
    expect(hub?.every((line) => line.includes('Bearer secret'))).toBe(true);
    expect(storage?.some((line) => line.includes('secret'))).toBe(false);
    expect(server.log.some((line) => /README|pytorch|onnx/.test(line))).toBe(false);
  });

  it('resumes after broken connections from the byte where each one broke', async () => {
    await using server = await startHubServer(repo, files);
    server.breakAfter = 40;
    const directory = await resolveModel(repo, options(server));
    const ranges = server.log.filter((line) => line.includes('storage') && line.includes('bytes='));
    expect(ranges.length).toBeGreaterThan(1);
    expect(ranges[0]).toContain('bytes=40-');
    for (const name of [first, second]) {
      expect(await readFile(join(directory, name))).toEqual(files.get(name));
    }
  });

  it('stops on abort, is not found as a model, and goes on from there', async () => {
    await using server = await startHubServer(repo, files);
    const abort = new AbortController();
    const running = resolveModel(
      repo,
      options(server, {
        signal: abort.signal,
        onProgress: ({ file }) => {
          if (file === first) abort.abort();
        },
      }),
    );
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(resolveModel(repo, options(server, { offline: true }))).rejects.toMatchObject({
      code: 'OFFLINE',
    });
    // By commit the broken snapshot is found, and refused for what it lacks.
    await expect(
      resolveModel(repo, options(server, { offline: true, revision: server.commit })),
    ).rejects.toMatchObject({ code: 'OFFLINE', message: expect.stringContaining(second) });
    const before = server.log.length;
    await resolveModel(repo, options(server));
    const again = server.log.slice(before).filter((line) => line.includes('config.json'));
    expect(again).toEqual([]);
  });

  it('goes on from an .incomplete file, and from nothing when it is wrong', async () => {
    await using server = await startHubServer(repo, files);
    const content = files.get(first) as Buffer;
    const complete = await resolveModel(repo, options(server));
    const link = await readlink(join(complete, first));
    for (const [partial, range] of [
      [content.subarray(0, 40), 'bytes=40-'],
      [Buffer.alloc(40), 'bytes=40-'],
      [Buffer.alloc(content.length + 5), undefined],
      [content, undefined],
    ] as const) {
      await rm(join(cache, folderName, 'snapshots', server.commit, first));
      const blob = join(cache, folderName, 'snapshots', server.commit, link);
      await rm(blob);
      await writeFile(`${blob}.incomplete`, partial);
      const before = server.log.length;
      const directory = await resolveModel(repo, options(server));
      expect(await readFile(join(directory, first))).toEqual(content);
      const ranged = server.log.slice(before).find((line) => line.includes('storage'));
      if (range === undefined) expect(ranged ?? '').not.toContain('bytes=');
      else expect(ranged).toContain(range);
      expect(existsSync(`${blob}.incomplete`)).toBe(false);
    }
  });

  it('refuses content that does not match its hash, and keeps none of it', async () => {
    await using server = await startHubServer(repo, files);
    server.replaceContent = Buffer.alloc((files.get(first) as Buffer).length, 1);
    await expect(resolveModel(repo, options(server))).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringContaining('hash'),
    });
    const blobs = await readdir(join(cache, folderName, 'blobs'));
    expect(blobs.some((name) => name.length >= 64)).toBe(false);
    expect(existsSync(join(cache, folderName, 'refs', 'main'))).toBe(false);
  });

  it('says what is wrong: no such model, no such revision, gated, broken, unreachable', async () => {
    await using server = await startHubServer(repo, files);
    await expect(resolveModel('acme/other', options(server))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(resolveModel(repo, options(server, { revision: 'nope' }))).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('revision'),
    });
    server.failWith = 403;
    await expect(resolveModel(repo, options(server))).rejects.toMatchObject({
      message: expect.stringContaining('gated'),
      hint: expect.stringContaining('HF_TOKEN'),
    });
    server.failWith = 503;
    await expect(resolveModel(repo, options(server))).rejects.toMatchObject({ code: 'IO' });
    const gone = { ...options(server).environment, HF_ENDPOINT: 'http://127.0.0.1:9' };
    await expect(resolveModel(repo, { environment: gone })).rejects.toMatchObject({ code: 'IO' });
  });

  it('refuses a repository without safetensors, and file names that leave the cache', async () => {
    const pickled = new Map([...files].filter(([name]) => !name.includes('safetensors')));
    await using server = await startHubServer(repo, pickled);
    await expect(resolveModel(repo, options(server))).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    await using hostile = await startHubServer(
      repo,
      new Map([...files, ['../../x', Buffer.alloc(1)]]),
    );
    await expect(resolveModel(repo, options(hostile))).rejects.toMatchObject({ code: 'IO' });
  });

  it('asks the Hub again only with refresh', async () => {
    await using server = await startHubServer(repo, files);
    const old = await resolveModel(repo, options(server));
    await using moved = await startHubServer(
      repo,
      new Map([...files, ['new.json', Buffer.from('{}')]]),
    );
    expect(await resolveModel(repo, options(moved))).toBe(old);
    const fresh = await resolveModel(repo, options(moved, { refresh: true }));
    expect(fresh).not.toBe(old);
    // Unchanged weights are linked, not fetched again.
    expect(moved.log.filter((line) => line.includes('storage'))).toEqual([]);
    expect((await stat(join(fresh, first))).size).toBe(files.get(first)?.length);
  });
});

describe.runIf(existsSync(python))("Python's huggingface_hub", () => {
  it('finds what this package downloaded, and reads the absent markers', async () => {
    await using server = await startHubServer(repo, files);
    const directory = await resolveModel(repo, options(server, { revision: 'refs/pr/1' }));
    const script = `
import os
from huggingface_hub import snapshot_download, try_to_load_from_cache, scan_cache_dir
from huggingface_hub.file_download import _CACHED_NO_EXIST
print(snapshot_download("${repo}", revision="refs/pr/1", local_files_only=True))
print(try_to_load_from_cache("${repo}", "config.json", revision="refs/pr/1"))
print(try_to_load_from_cache("${repo}", "chat_template.jinja", revision="refs/pr/1") is _CACHED_NO_EXIST)
report = scan_cache_dir()
print(len(report.repos), len(report.warnings), sum(r.nb_files for r in report.repos))`;
    const output = await runPython(script, { HF_HUB_CACHE: cache, HF_HUB_OFFLINE: '1' });
    expect(output.split('\n')).toEqual([
      directory,
      join(directory, 'config.json'),
      'True',
      '1 0 7',
    ]);
  });

  it('writes a cache that this package finds, offline', async () => {
    await using server = await startHubServer(repo, files);
    const path = await runPython(
      `from huggingface_hub import snapshot_download\nprint(snapshot_download("${repo}"))`,
      { HF_HUB_CACHE: cache, HF_ENDPOINT: server.endpoint },
    );
    expect((await lstat(join(path, first))).isSymbolicLink()).toBe(true);
    const requests = server.log.length;
    expect(await resolveModel(repo, options(server, { offline: true }))).toBe(path);
    const lookup = { repo, revision: 'main', file: 'onnx/model.onnx' };
    expect(await findInCache(cache, lookup)).toEqual({
      state: 'found',
      path: join(path, 'onnx/model.onnx'),
    });
    expect(server.log.length).toBe(requests);
  });
});

describe('the cache', () => {
  const commit = 'a'.repeat(40);
  it('knows found, absent and unknown files, and trusts no ref that is not a commit', async () => {
    const directory = join(cache, folderName);
    const snapshot = join(directory, 'snapshots', commit);
    await mkdir(snapshot, { recursive: true });
    await mkdir(join(directory, 'refs', 'refs', 'pr'), { recursive: true });
    await mkdir(join(directory, '.no_exist', commit), { recursive: true });
    await writeFile(join(directory, 'refs', 'refs', 'pr', '1'), `${commit}\n`);
    await writeFile(join(directory, 'refs', 'evil'), '../../../../etc');
    await writeFile(join(snapshot, 'config.json'), '{}');
    await writeFile(join(directory, '.no_exist', commit, 'adapter_config.json'), '');
    const look = (revision: string, file: string): Promise<{ state: string }> =>
      findInCache(cache, { repo, revision, file });
    expect(await look('refs/pr/1', 'config.json')).toMatchObject({ state: 'found' });
    expect(await look(commit, 'config.json')).toMatchObject({ state: 'found' });
    expect(await look(commit, 'adapter_config.json')).toEqual({ state: 'absent' });
    expect(await look(commit, 'tokenizer.json')).toEqual({ state: 'unknown' });
    expect(await look('evil', 'passwd')).toEqual({ state: 'unknown' });
    expect(await look(commit, '../../refs/evil')).toEqual({ state: 'unknown' });
    expect(await look('main', 'config.json')).toEqual({ state: 'unknown' });
  });
});

describe('resolveModel', () => {
  it('takes a directory as it is and refuses paths and names that are neither', async () => {
    expect(await resolveModel(sharded)).toBe(sharded.replace(/\/$/, ''));
    for (const [name, code] of [
      [join(root, 'absent'), 'NOT_FOUND'],
      ['./absent', 'NOT_FOUND'],
      ['~/models', 'NOT_FOUND'],
      ['a/b/c', 'BAD_ARGUMENT'],
      ['a/../b', 'BAD_ARGUMENT'],
      ['acme/--x', 'BAD_ARGUMENT'],
      ['acme/x.git', 'BAD_ARGUMENT'],
      ['', 'BAD_ARGUMENT'],
      ['acme/x\n', 'BAD_ARGUMENT'],
    ] as const) {
      await expect(
        resolveModel(name, { offline: true, environment: { HF_HUB_CACHE: cache } }),
      ).rejects.toMatchObject({ code });
    }
    for (const revision of ['../x', '/x', 'a//b', '', 'a\\b', 'a\u0000']) {
      await expect(resolveModel(repo, { revision, offline: true })).rejects.toMatchObject({
        code: 'BAD_ARGUMENT',
      });
    }
  });

  it('uses no network when the environment says so', async () => {
    await using server = await startHubServer(repo, files);
    for (const name of ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE']) {
      const offline = { ...options(server).environment, [name]: 'yes' };
      await expect(resolveModel(repo, { environment: offline })).rejects.toMatchObject({
        code: 'OFFLINE',
        message: expect.stringContaining(cache),
      });
    }
    expect(server.log).toEqual([]);
  });
});
