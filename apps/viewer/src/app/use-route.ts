// The current route, and how a page changes its own part of it.
import { useEffect, useState } from 'preact/hooks';
import { parseRoute, type Route, runHref } from './route.ts';

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = (): void => setHash(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return parseRoute(hash);
}

/** Sets parameters of the current page. A filter is no place to go back to, so history is replaced. */
export function setParams(
  route: Route,
  changes: Readonly<Record<string, string | number | undefined>>,
): void {
  if (route.run === undefined || route.page === 'runs') return;
  const params = { ...Object.fromEntries(route.params), ...changes };
  const href = runHref(route.run, route.page, params);
  history.replaceState(null, '', href);
  dispatchEvent(new HashChangeEvent('hashchange'));
}
