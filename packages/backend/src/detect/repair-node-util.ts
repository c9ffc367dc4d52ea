// tfjs-node 4.22 calls util.isNullOrUndefined, which Node 23 removed: put it back before it loads.
import { createRequire } from 'node:module';

/** Idempotent. The CommonJS object is patched because an ES module's view of `node:util` is frozen. */
export function repairNodeUtil(): void {
  const util = createRequire(import.meta.url)('node:util') as {
    isNullOrUndefined?: (value: unknown) => boolean;
  };
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
}
