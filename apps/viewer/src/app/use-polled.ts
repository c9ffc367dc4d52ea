// Asks again from time to time while the tab is visible; a failed question waits for the next turn.
import { useEffect, useState } from 'preact/hooks';
import type { Loaded } from './use-loaded.ts';

/** @param delay milliseconds to the next question after this answer; undefined: never again. */
export function usePolled<T>(
  key: string,
  load: () => Promise<T>,
  delay: (value: T) => number | undefined,
): Loaded<T> {
  const [state, setState] = useState<Loaded<T>>({
    value: undefined,
    error: undefined,
    loading: true,
  });
  // `key` names everything that `load` depends on.
  useEffect(() => {
    let current = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const next = (after: number | undefined): void => {
      if (current && after !== undefined) timer = setTimeout(ask, after);
    };
    const ask = (): void => {
      if (document.hidden) {
        next(RETRY);
        return;
      }
      load().then(
        (value) => {
          if (current) setState({ value, error: undefined, loading: false });
          next(delay(value));
        },
        (reason: unknown) => {
          const error = reason instanceof Error ? reason.message : String(reason);
          if (current) setState((before) => ({ ...before, error, loading: false }));
          next(RETRY);
        },
      );
    };
    ask();
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [key]);
  return state;
}

/** Milliseconds after a failure, or while the tab is hidden. */
const RETRY = 3000;
