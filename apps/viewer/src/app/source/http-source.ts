// Data from the server of `safeinfer view`.
import type { DataSource } from './data-source.ts';

export function httpSource(): DataSource {
  const run = (id: string): string => `api/runs/${encodeURIComponent(id)}`;
  return {
    live: true,
    canReveal: () => true,
    runs: () => get('api/runs', {}),
    run: (id) => get(run(id), {}),
    items: (id, { query, offset, limit, reveal }) =>
      get(`${run(id)}/items`, { ...query, offset, limit, reveal }),
    item: (id, { key, reveal }) => get(`${run(id)}/item`, { ...key, reveal }),
    tokens: (id, { key, reveal }) => get(`${run(id)}/tokens`, { ...key, reveal }),
    heads: (id, name) => get(`${run(id)}/heads/${encodeURIComponent(name)}`, {}),
    trace: (id, name) => get(`${run(id)}/traces/${encodeURIComponent(name)}`, {}),
    queue: (id, request) => get(`${run(id)}/queue`, { ...request }),
    async label(id, request) {
      await answer(
        fetch(`${run(id)}/labels`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(request),
        }),
      );
    },
  };
}

function get<T>(
  path: string,
  params: Readonly<Record<string, string | number | boolean | undefined>>,
): Promise<T> {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === false) continue;
    search.set(name, value === true ? '1' : String(value));
  }
  const text = search.toString();
  return answer(fetch(text ? `${path}?${text}` : path));
}

async function answer<T>(pending: Promise<Response>): Promise<T> {
  let response: Response;
  try {
    response = await pending;
  } catch {
    throw new Error('The server does not answer. Is `safeinfer view` still running?');
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body as T;
  const reason =
    typeof body === 'object' && body !== null && 'error' in body ? String(body.error) : '';
  throw new Error(reason || `The server answered ${response.status}.`);
}
