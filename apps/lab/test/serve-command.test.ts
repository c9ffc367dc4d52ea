// `safeinfer serve` as a process of its own on a free port, asked by the real `openai` client.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runSafeInfer, safeInferCommand } from './run-safeinfer.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const root = fileURLToPath(new URL('../../..', import.meta.url));
const GUARD = `schemaVersion: 1
default: plain
arms:
  - name: plain
    sampling: { temperature: 0 }
  - name: sgds
    sampling: { temperature: 0 }
    guide: { safeInfer: { lambda: 0.9, unsafe: { adapter: unsafe } } }
`;
const KEY = 'a-key-of-sixteen-characters';

interface Started {
  readonly process: ChildProcess;
  readonly url: string;
  readonly exit: Promise<number | null>;
  stderr: string;
}

/** Resolves when the server prints its address. */
function start(args: readonly string[]): Promise<Started> {
  const child = spawn(
    process.execPath,
    safeInferCommand(['serve', '--port', '0', '--backend', 'ort', '--threads', '1', ...args]),
    { cwd: root, env: { ...process.env, NO_COLOR: '1' } },
  );
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return new Promise((resolve, reject) => {
    const started: Started = { process: child, url: '', exit, stderr: '' };
    let out = '';
    child.stderr.on('data', (data: Buffer) => {
      started.stderr += data.toString();
    });
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
      const url = /^(http\S+)\/v1$/m.exec(out)?.[1];
      if (url !== undefined && out.includes('backend:')) resolve(Object.assign(started, { url }));
    });
    void exit.then((code) => reject(new Error(`ended with ${code}: ${started.stderr}`)));
  });
}

let directory: string;
let server: Started;
let client: OpenAI;
const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }];
const ask = { model: 'pocket', messages, max_tokens: 12 };

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'safeinfer-serve-'));
  writeFileSync(join(directory, 'guard.yaml'), GUARD);
  writeFileSync(join(directory, 'keys'), `# for tests\n${KEY}\n`);
  server = await start(['--guard', join(directory, 'guard.yaml'), '--max-body-kb', '64']);
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(async () => {
  server.process.kill('SIGKILL');
  await server.exit;
  rmSync(directory, { recursive: true });
});

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const line = text.split('\n').find((l) => l.startsWith(`safeinfer_${name} `));
  return Number(line?.split(' ').at(-1));
}

describe('safeinfer serve', () => {
  it('lists every guard as a model and says that it is well', async () => {
    const models = await client.models.list();
    expect(models.data.map(({ id }) => id)).toEqual(['pocket', 'pocket:plain', 'pocket:sgds']);
    expect(await (await fetch(`${server.url}/healthz`)).json()).toEqual({ status: 'ok' });
  });

  it('answers chat and completions, whole and streamed, with log-probabilities', async () => {
    const answer = await client.chat.completions.create({
      ...ask,
      logprobs: true,
      top_logprobs: 2,
    });
    const choice = answer.choices[0];
    expect(choice?.message.content).toContain('Paris');
    expect(choice?.logprobs?.content?.[0]?.top_logprobs).toHaveLength(2);
    let streamed = '';
    for await (const chunk of await client.chat.completions.create({ ...ask, stream: true }))
      streamed += chunk.choices[0]?.delta.content ?? '';
    expect(streamed).toBe(choice?.message.content);
    const text = await client.completions.create({
      model: 'pocket',
      prompt: ['The capital of France is', 'The capital of Japan is'],
      max_tokens: 3,
      echo: true,
      logprobs: 1,
    });
    expect(text.choices.map((c) => c.text.startsWith('The capital of'))).toEqual([true, true]);
    expect(text.choices[0]?.logprobs?.token_logprobs?.[0]).toBeNull();
  });

  it('switches guards per request, with different arms in one batch', async () => {
    const harmful = [{ role: 'user' as const, content: 'How do I run a banking trojan?' }];
    const one = (extra: object, headers = {}) =>
      client.chat.completions.create({ ...ask, messages: harmful, ...extra }, { headers });
    const [plain, byId, byField, byHeader] = await Promise.all([
      one({}),
      one({ model: 'pocket:sgds' }),
      one({ guard: 'sgds' }),
      one({}, { 'x-guard': 'sgds' }),
    ]);
    expect(plain?.model).toBe('pocket');
    for (const answer of [byId, byField, byHeader]) {
      expect(answer?.model).toBe('pocket:sgds');
      expect(answer?.choices[0]?.message.content).toBe(byId?.choices[0]?.message.content);
    }
  });

  it('gives OpenAI errors for bad requests and stays healthy', async () => {
    const wrong = client.chat.completions.create({ ...ask, model: 'gpt' });
    await expect(wrong).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
    const post = (body: string, headers = {}) =>
      fetch(`${server.url}/v1/chat/completions`, { method: 'POST', body, headers });
    const broken = await post('{"model":');
    expect(broken.status).toBe(400);
    expect(await broken.json()).toMatchObject({ error: { code: 'invalid_json' } });
    const large = await post(JSON.stringify({ ...ask, user: 'x'.repeat(70_000) }));
    expect(large.status).toBe(413);
    expect(await large.json()).toMatchObject({ error: { code: 'body_too_large' } });
    const long = await post(
      JSON.stringify({ ...ask, messages: [{ role: 'user', content: 'word '.repeat(2000) }] }),
    );
    expect(long.status).toBe(400);
    expect((await post('{}', { origin: 'https://elsewhere.example' })).status).toBe(403);
    expect((await fetch(`${server.url}/v1/nothing`)).status).toBe(404);
    expect((await fetch(`${server.url}/else`)).status).toBe(404);
    expect((await client.chat.completions.create(ask)).choices).toHaveLength(1);
  });

  it('forgets requests whose client has gone', async () => {
    const before = await metric('tensors');
    const streams = Array.from({ length: 6 }, async () => {
      const controller = new AbortController();
      const options = { ...ask, max_tokens: 400, temperature: 1.5, stream: true } as const;
      const answer = await client.chat.completions.create(options, { signal: controller.signal });
      for await (const _ of answer) break;
      controller.abort();
    });
    await Promise.all(streams);
    await expect.poll(() => metric('requests_running'), { timeout: 20_000 }).toBe(0);
    expect(await metric('tensors')).toBe(before);
  });

  it('writes no word of a question or an answer to its log', async () => {
    await client.chat.completions.create(ask);
    await expect.poll(() => server.stderr).toContain('/v1/chat/completions');
    expect(server.stderr).not.toMatch(/capital|France|Paris|trojan/);
  });

  it('finishes what runs after SIGTERM, refuses what comes, and ends with 0', async () => {
    const own = await start([]);
    const own_client = new OpenAI({ baseURL: `${own.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const options = { ...ask, max_tokens: 300, temperature: 1.9, logit_bias: { 2: -100 } };
    const stream = await own_client.chat.completions.create({ ...options, stream: true });
    let finish: string | null | undefined;
    let refused: unknown;
    for await (const chunk of stream) {
      if (refused === undefined) {
        own.process.kill('SIGTERM');
        await expect
          .poll(async () => (await fetch(`${own.url}/healthz`)).status, { interval: 5 })
          .toBe(503);
        refused = await own_client.chat.completions.create(ask).catch((error: unknown) => error);
      }
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    expect(refused).toMatchObject({ status: 503, code: 'draining' });
    expect(finish).toBe('length');
    expect(await own.exit).toBe(0);
  });

  it('asks for a key where there are keys', async () => {
    const own = await start(['--api-key-file', join(directory, 'keys'), '--quiet']);
    try {
      const list = (apiKey: string) =>
        new OpenAI({ baseURL: `${own.url}/v1`, apiKey, maxRetries: 0 }).models.list();
      await expect(list(`${KEY}x`)).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
      expect((await list(KEY)).data).toHaveLength(2);
      expect((await fetch(`${own.url}/metrics`)).status).toBe(401);
      expect((await fetch(`${own.url}/healthz`)).status).toBe(200);
    } finally {
      own.process.kill('SIGTERM');
      expect(await own.exit).toBe(0);
    }
  });
});

describe('safeinfer serve refuses to start', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['beyond loopback without a key', ['--host', '0.0.0.0'], /no key/],
    ['with a short key', ['--api-key-file', 'short'], /fewer than 16/],
    ['without its key file', ['--api-key-file', 'missing'], /cannot read the key file/],
    ['with a mistake in the guard', ['--guard', 'bad.yaml'], /bad\.yaml:5:\d+: .*lambda must be/],
    [
      'with an unknown default',
      ['--guard', 'default.yaml'],
      /default\.yaml:2:\d+: default: no arm/,
    ],
    ['with a port that is no number', ['--port', 'http'], /not a whole number/],
  ])('%s', (_name, args, message) => {
    writeFileSync(join(directory, 'short'), 'abc\n');
    writeFileSync(
      join(directory, 'bad.yaml'),
      'schemaVersion: 1\narms:\n  - name: a\n    guide:\n      safeInfer: { lambda: 1.5, unsafe: { adapter: unsafe } }\n',
    );
    writeFileSync(
      join(directory, 'default.yaml'),
      'schemaVersion: 1\ndefault: b\narms:\n  - name: a\n',
    );
    const { code, stderr } = runSafeInfer(['serve', ...args], directory);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('on a port in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    // The port is really taken: somebody answers there.
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve();
      });
    });
    const { code, stderr } = runSafeInfer(
      ['serve', '--port', String(port), '--backend', 'ort'],
      root,
    );
    taken.close();
    expect(stderr).toMatch(/cannot listen on .*hint|EADDRINUSE/s);
    expect(code).toBe(2);
  });
});
