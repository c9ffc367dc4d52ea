// The HTTP side of `safeinfer view` without a browser: who is answered, what is sent, what is written.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRuns } from '../src/view/open-runs.ts';
import { viewApp } from '../src/view/view-app.ts';
import { writeSyntheticRun } from './synthetic-run.ts';

const PORT = 4321;
const HOST = `127.0.0.1:${PORT}`;
const ITEM = { style: 'simple', benchmark: 'placeholder-harmful', itemId: 'item-1' };
const KEY = { edit: 'unedited', arm: 'SA', ...ITEM };

let root: string;
let app: Hono;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'view-server-'));
  await writeSyntheticRun(join(root, 'runs', 'one'), { items: 120, withTokens: 10 });
  writeFileSync(join(root, 'secret.json'), '{"secret":true}');
  app = viewApp({ runs: openRuns(join(root, 'runs')), site: [], port: () => PORT });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  Promise.resolve(app.request(path, { headers: { host: HOST, ...headers } }));
const json = async <T = Record<string, unknown>>(path: string): Promise<T> =>
  (await (await get(path)).json()) as T;
const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
  Promise.resolve(
    app.request('/api/runs/one/labels', {
      method: 'POST',
      body,
      headers: {
        host: HOST,
        origin: `http://${HOST}`,
        'content-type': 'application/json',
        ...headers,
      },
    }),
  );
const search = (params: Record<string, string>): string => new URLSearchParams(params).toString();

describe('who is answered', () => {
  it('only requests that name this server, by any loopback name', async () => {
    expect((await get('/api/runs')).status).toBe(200);
    expect((await get('/api/runs', { host: `localhost:${PORT}` })).status).toBe(200);
    expect((await get('/api/runs', { host: `[::1]:${PORT}` })).status).toBe(200);
    for (const host of [
      'evil.example',
      `evil.example:${PORT}`,
      '127.0.0.1:1',
      `127.0.0.1.evil:${PORT}`,
      '',
    ]) {
      expect((await get('/api/runs', { host })).status, host).toBe(403);
    }
  });

  it('no other origin, no other site', async () => {
    expect((await get('/api/runs', { origin: 'http://evil.example' })).status).toBe(403);
    expect((await get('/api/runs', { origin: 'null' })).status).toBe(403);
    expect((await get('/api/runs', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await get('/api/runs', { 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  it('sends a policy without inline script, remote anything, or frames', async () => {
    const policy = (await get('/api/runs')).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });
});

describe('what is sent', () => {
  it('pages of items, never more than 200 at once', async () => {
    const page = await json('/api/runs/one/items?offset=100&limit=50');
    expect([page.total, (page.rows as unknown[]).length]).toEqual([120, 20]);
    expect((await get('/api/runs/one/items?limit=201')).status).toBe(400);
    expect((await get('/api/runs/one/items?offset=-1')).status).toBe(400);
  });

  it('no harmful text until it is asked for, in any answer', async () => {
    const secrets = readFileSync(join(root, 'runs/one/results.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; prompt: string; output: string })
      .filter(({ kind }) => kind === 'harmful')
      // Behind the characters that the mask leaves visible.
      .flatMap(({ prompt, output }) => [prompt.slice(13), output.slice(13)]);
    for (const path of [
      `/api/runs/one/items?q=item-1`,
      `/api/runs/one/item?${search(ITEM)}`,
      `/api/runs/one/tokens?${search(KEY)}`,
      `/api/runs/one/queue?limit=200&labelled=1`,
    ]) {
      const hidden = await (await get(path)).text();
      const leaked = (text: string): boolean => secrets.some((secret) => text.includes(secret));
      expect(leaked(hidden), path).toBe(false);
      const shown = await (await get(`${path}&reveal=1`)).text();
      expect(leaked(shown), path).toBe(true);
    }
  });

  it('token numbers stay while their texts are hidden', async () => {
    const hidden = await json<{
      masked: boolean;
      tokens: { text: string; terms: object; alternatives: { text: string }[] }[];
    }>(`/api/runs/one/tokens?${search(KEY)}`);
    expect(hidden.masked).toBe(true);
    expect(hidden.tokens.length).toBeGreaterThan(3);
    expect(hidden.tokens.every(({ text }) => text === '')).toBe(true);
    expect(hidden.tokens.flatMap((t) => t.alternatives).every(({ text }) => text === '')).toBe(
      true,
    );
    expect(Object.keys(hidden.tokens[0]!.terms)).toEqual(['model', 'steering', 'unsafe']);
  });

  it('the table of report.json where there is one, else one of its own', async () => {
    const own = await json('/api/runs/one');
    expect(own.rowsFrom).toBe('results.jsonl');
    expect((own.rows as unknown[]).length).toBe(4);
    const rate = { count: 1, total: 4, value: 0.25, low: 0.1, high: 0.6 };
    const rows = [{ edit: 'e', style: 's', arm: 'from the report', asr: rate, unscored: 0 }];
    writeFileSync(join(root, 'runs/one/report.json'), JSON.stringify({ rows, limits: ['few'] }));
    const reported = await json('/api/runs/one');
    expect(reported).toMatchObject({ rowsFrom: 'report.json', rows, limits: ['few'] });
    rmSync(join(root, 'runs/one/report.json'));
  });

  it('nothing outside of the runs, whatever the path', async () => {
    for (const id of ['..', '%2e%2e', '..%2f..', 'one%2f..%2f..', 'absent']) {
      expect((await get(`/api/runs/${id}`)).status, id).toBe(404);
    }
    for (const name of ['..%2f..%2f..%2fsecret', '..%2fexperiment', 'absent']) {
      expect((await get(`/api/runs/one/heads/${name}`)).status, name).toBe(404);
    }
    expect((await get('/api/runs/one/heads/SA')).status).toBe(200);
    expect((await get('/api/runs/one/traces/placeholder')).status).toBe(200);
  });

  it('live progress, and the difference between running and not finished', async () => {
    const running = join(root, 'runs', 'under-way');
    mkdirSync(running);
    const progress = {
      phase: 'generate',
      done: 3,
      total: 9,
      asr: { value: 0.5, low: 0.1, high: 0.9 },
    };
    writeFileSync(join(running, 'progress.json'), JSON.stringify(progress));
    const listed = await json<{ id: string; status: string }[]>('/api/runs');
    expect(listed.find(({ id }) => id === 'under-way')).toMatchObject({
      status: 'running',
      progress,
    });
    const detail = await json('/api/runs/under-way');
    expect(detail).toMatchObject({ items: 0, rows: [] });
    rmSync(running, { recursive: true });
  });
});

describe('what is written', () => {
  const file = (): string => join(root, 'runs/one/labels.jsonl');

  it('nothing without an origin, from another one, of another type, too large, or not understood', async () => {
    const body = JSON.stringify({ key: KEY, label: 'refused' });
    const bare = await app.request('/api/runs/one/labels', {
      method: 'POST',
      body,
      headers: { host: HOST, 'content-type': 'application/json' },
    });
    expect(bare.status).toBe(403);
    expect((await post(body, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await post(body, { 'content-type': 'text/plain' })).status).toBe(400);
    expect((await post('{')).status).toBe(400);
    expect((await post(JSON.stringify({ key: KEY, label: 'maybe' }))).status).toBe(400);
    expect((await post(JSON.stringify({ key: KEY, label: 'refused', more: 1 }))).status).toBe(400);
    expect(
      (await post(JSON.stringify({ key: { ...KEY, itemId: 'absent' }, label: 'refused' }))).status,
    ).toBe(404);
    expect(
      (
        await post(
          JSON.stringify({ key: { ...KEY, itemId: 'x'.repeat(20_000) }, label: 'refused' }),
        )
      ).status,
    ).toBe(400);
    expect(existsSync(file())).toBe(false);
  });

  it('one line a label, which leaves the queue of waiting answers', async () => {
    const before = await json('/api/runs/one/queue?limit=1');
    const { key } = (before.entries as { key: typeof KEY }[])[0]!;
    expect((await post(JSON.stringify({ key, label: 'complied' }))).status).toBe(201);
    const line = JSON.parse(readFileSync(file(), 'utf8')) as { at: string };
    expect(line).toMatchObject({ schema: 1, key, label: 'complied' });
    expect(Number.isNaN(Date.parse(line.at))).toBe(false);
    const after = await json('/api/runs/one/queue?limit=1');
    expect(after).toMatchObject({ total: Number(before.total) - 1, labelled: 1 });
    const all = await json('/api/runs/one/queue?limit=1&labelled=1');
    expect(all).toMatchObject({ total: before.total, entries: [{ key, label: 'complied' }] });
  });
});
