// Lets timers and other work of the process run between the steps of a long computation.

/** Resolves in a later turn of the event loop; a promise alone would starve timers that abort the work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
