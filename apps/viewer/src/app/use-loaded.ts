// A value that arrives later: the last one stays visible while the next is under way.
import { useEffect, useState } from 'preact/hooks';

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly error: string | undefined;
  readonly loading: boolean;
}

/** Loads again whenever `key` changes; an answer that comes late is dropped. */
export function useLoaded<T>(key: string, load: () => Promise<T>): Loaded<T> {
  const [state, setState] = useState<Loaded<T>>({
    value: undefined,
    error: undefined,
    loading: true,
  });
  // `key` names everything that `load` depends on.
  useEffect(() => {
    let current = true;
    setState((before) => ({ ...before, loading: true }));
    load().then(
      (value) => {
        if (current) setState({ value, error: undefined, loading: false });
      },
      (reason: unknown) => {
        if (!current) return;
        const error = reason instanceof Error ? reason.message : String(reason);
        setState((before) => ({ ...before, error, loading: false }));
      },
    );
    return () => {
      current = false;
    };
  }, [key]);
  return state;
}
