// The address of a page: everything after '#', so that it also works from file:// and on any static host.

export const RUN_PAGES = [
  'overview',
  'cells',
  'items',
  'item',
  'tokens',
  'heads',
  'traces',
  'queue',
] as const;
export type RunPage = (typeof RUN_PAGES)[number];

export interface Route {
  /** Absent: the list of runs. */
  readonly run?: string;
  readonly page: RunPage | 'runs';
  readonly params: URLSearchParams;
}

export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#/, '').split('?', 2);
  const params = new URLSearchParams(search);
  const [, first, run, page = 'overview'] = path.split('/');
  if (first !== 'run' || !run) return { page: 'runs', params };
  const known = RUN_PAGES.find((name) => name === page) ?? 'overview';
  return { run: decodeURIComponent(run), page: known, params };
}

/** Empty and absent values leave the address. */
export function runHref(
  run: string,
  page: RunPage,
  params: Readonly<Record<string, string | number | undefined>> = {},
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return `#/run/${encodeURIComponent(run)}/${page}${text ? `?${text}` : ''}`;
}
