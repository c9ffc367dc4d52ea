// Loads a data file of an export: a script that hands its JSON to one global function.
import { DATA_CALLBACK } from '../../schema/export.ts';

/** Files kept: enough to scroll back and forth, few enough not to hold a whole run. */
const KEPT = 40;

const loaded = new Map<string, Promise<unknown>>();
const arrived = new Map<string, unknown>();

Object.assign(globalThis, {
  [DATA_CALLBACK]: (key: string, value: unknown): void => {
    arrived.set(key, value);
  },
});

/** @param key path below data/, without .js; the file names itself by the same key. */
export function loadScript<T>(key: string): Promise<T> {
  const known = loaded.get(key);
  if (known) return known as Promise<T>;
  const pending = new Promise<unknown>((resolve, reject) => {
    const script = document.createElement('script');
    script.src = `data/${key.split('/').map(encodeURIComponent).join('/')}.js`;
    script.onload = () => {
      script.remove();
      const value = arrived.get(key);
      arrived.delete(key);
      if (value === undefined) reject(new Error(`${script.src} holds no data named ${key}`));
      else resolve(value);
    };
    script.onerror = () => {
      script.remove();
      loaded.delete(key);
      reject(new Error(`The export lacks data/${key}.js`));
    };
    document.head.append(script);
  });
  loaded.set(key, pending);
  for (const oldest of loaded.keys()) {
    if (loaded.size <= KEPT) break;
    loaded.delete(oldest);
  }
  return pending as Promise<T>;
}
