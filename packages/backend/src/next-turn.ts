// One turn of the event loop between two steps of long work: timers, sockets, signal and abort handlers run.

/** Resolves in a later turn. Awaiting a tensor or a settled promise alone runs microtasks only, and starves the rest. */
export const nextTurn: () => Promise<void> =
  typeof setImmediate === 'function'
    ? () => new Promise((resolve) => setImmediate(resolve))
    : () => new Promise((resolve) => setTimeout(resolve, 0));
