import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatasetSpec } from './dataset-spec.ts';
import { downloadDataset } from './download-dataset.ts';
import { localSpec } from './local-spec.ts';

// A hub on the loopback interface: the client library, its headers and its error handling are the real ones.
const CSV = 'Question,Topic\nfirst,A\nsecond,B\n';
const REVISION = '0123456789abcdef0123456789abcdef01234567';
const requests: { readonly url: string; readonly authorization: string | undefined }[] = [];
let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push({ url: path, authorization: request.headers.authorization });
    if (path.includes('/gated/') && request.headers.authorization !== 'Bearer hf_good') {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: 'Access to this set is restricted' }));
    } else if (path.includes(`/tree/${REVISION}`)) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify([
          { type: 'file', oid: 'a', size: 10, path: 'README.md' },
          { type: 'file', oid: 'b', size: CSV.length, path: 'data/questions.csv' },
        ]),
      );
    } else if (path.endsWith('questions.csv')) {
      const range = request.headers.range;
      response.writeHead(range === undefined ? 200 : 206, {
        'content-type': 'text/csv',
        etag: '"abc"',
        ...(range === undefined
          ? { 'content-length': CSV.length }
          : {
              'content-range': `bytes 0-${range === 'bytes=0-0' ? 0 : CSV.length - 1}/${CSV.length}`,
            }),
      });
      response.end(range === 'bytes=0-0' ? CSV.slice(0, 1) : CSV);
    } else {
      response.writeHead(404, { 'x-error-code': 'EntryNotFound' });
      response.end();
    }
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
});

function spec(origin: DatasetSpec['origin'], path: string): DatasetSpec {
  return {
    ...localSpec({
      name: 'remote',
      rows: 2,
      columns: { prompt: 'Question', category: 'Topic', label: 'harmful' },
    }),
    revision: REVISION,
    origin,
    files: [{ path }],
  };
}

describe('downloadDataset', () => {
  it('reads a gated set at the pinned revision with the token of the user', async () => {
    const gated = spec({ kind: 'hub', repo: 'gated/set', gated: true }, 'data/questions.csv');
    const { items, report } = await downloadDataset(gated, { token: 'hf_good', hubUrl: url });
    expect(items).toHaveLength(2);
    expect(report.verified).toBe('rows');
    expect(requests.at(-1)?.url).toContain(`/datasets/gated/set/resolve/${REVISION}/`);
    expect(requests.at(-1)?.authorization).toBe('Bearer hf_good');
  });

  it('says what to do without access', async () => {
    const gated = spec({ kind: 'hub', repo: 'gated/set', gated: true }, 'data/questions.csv');
    for (const options of [{ hubUrl: url }, { hubUrl: url, token: 'hf_bad' }]) {
      await expect(downloadDataset(gated, options)).rejects.toMatchObject({
        code: 'GATED',
        hint: expect.stringContaining('token'),
      });
    }
  });

  it('finds the only data file where no name is fixed', async () => {
    const open = spec({ kind: 'hub', repo: 'open/set', gated: false }, '*');
    expect((await downloadDataset(open, { hubUrl: url })).items).toHaveLength(2);
  });

  it('reads raw files of a commit', async () => {
    const raw = spec({ kind: 'github', repo: 'owner/name' }, 'data/my questions.csv');
    expect((await downloadDataset(raw, { rawUrl: url })).items).toHaveLength(2);
    expect(requests.at(-1)?.url).toBe(`/owner/name/${REVISION}/data/my%20questions.csv`);
  });

  it('names a missing file, an unreachable host and an abort', async () => {
    const missing = spec({ kind: 'hub', repo: 'open/set', gated: false }, 'gone.json');
    await expect(downloadDataset(missing, { hubUrl: url })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const raw = spec({ kind: 'github', repo: 'owner/name' }, 'x.csv');
    await expect(downloadDataset(raw, { rawUrl: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      code: 'OFFLINE',
    });
    await expect(
      downloadDataset(raw, { rawUrl: url, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
