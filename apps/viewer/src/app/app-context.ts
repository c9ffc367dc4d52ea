// What every part of the page may need: the data, where we are, and whether harmful text is shown.
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Route } from './route.ts';
import type { DataSource } from './source/data-source.ts';

export interface AppState {
  readonly source: DataSource;
  readonly route: Route;
  /** Of the page toggle; kept in memory only, and off again on every other page. */
  readonly reveal: boolean;
  readonly setReveal: (reveal: boolean) => void;
  /** Tells a screen reader what has just happened. */
  readonly announce: (message: string) => void;
}

export const AppContext = createContext<AppState | undefined>(undefined);

export function useApp(): AppState {
  const state = useContext(AppContext);
  if (!state) throw new Error('outside of the application');
  return state;
}
