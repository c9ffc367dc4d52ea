// The frame: skip link, heading, tabs of the run, the page itself, and a region for announcements.
import type { JSX } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { AppContext, type AppState } from './app-context.ts';
import { RunFrame } from './pages/run-frame.tsx';
import { RunsPage } from './pages/runs-page.tsx';
import type { DataSource } from './source/data-source.ts';
import { useRoute } from './use-route.ts';

export function App({ source }: { readonly source: DataSource }): JSX.Element {
  const route = useRoute();
  const place = `${route.run ?? ''}/${route.page}`;
  const [revealedAt, setRevealedAt] = useState<string>();
  const [message, setMessage] = useState('');
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);

  useEffect(() => {
    document.title = route.run ? `${route.run} · ${route.page} · SafeInfer` : 'Runs · SafeInfer';
    // Harmful text is hidden again on the next page, and stays so on the way back.
    setRevealedAt((at) => (at === place ? at : undefined));
    if (first.current) first.current = false;
    // Keyboard and screen reader start at the new page, as they would after a full load.
    else main.current?.focus({ preventScroll: true });
  }, [place, route.run, route.page]);

  const announce = useCallback((text: string) => setMessage(text), []);
  const state: AppState = {
    source,
    route,
    reveal: revealedAt === place,
    setReveal: (reveal) => setRevealedAt(reveal ? place : undefined),
    announce,
  };
  return (
    <AppContext.Provider value={state}>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <main ref={main} tabIndex={-1}>
        {route.run === undefined ? <RunsPage /> : <RunFrame key={route.run} run={route.run} />}
      </main>
      <p class="hidden" role="status" aria-live="polite">
        {message}
      </p>
    </AppContext.Provider>
  );
}
