// A value that arrives later: the last one stays visible while the next is under way.
import { useEffect, useState } from 'preact/hooks';

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly error: string | undefined;
  readonly loading: boolean;
}

/** Milliseconds after a failed question, or while the tab is hidden. */
const RETRY = 3000;

/**
 * Loads again whenever `key` changes; an answer that comes late is dropped.
 * @param again milliseconds to the next question after this answer, undefined: never again. With it, a failed
 *   question waits for its next turn, and nothing is asked while the tab is hidden.
 */
export function useLoaded<T>(
  key: string,
  load: () => Promise<T>,
  again?: (value: T) => number | undefined,
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
    const askAfter = (delay: number | undefined): void => {
      if (current && delay !== undefined) timer = setTimeout(ask, delay);
    };
    const ask = (): void => {
      if (again !== undefined && document.hidden) {
        askAfter(RETRY);
        return;
      }
      load().then(
        (value) => {
          if (current) setState({ value, error: undefined, loading: false });
          askAfter(again?.(value));
        },
        (reason: unknown) => {
          const error = reason instanceof Error ? reason.message : String(reason);
          if (current) setState((before) => ({ ...before, error, loading: false }));
          if (again !== undefined) askAfter(RETRY);
        },
      );
    };
    setState((before) => ({ ...before, loading: true }));
    ask();
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [key]);
  return state;
}
