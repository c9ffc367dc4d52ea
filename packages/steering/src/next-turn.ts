// Lets the event loop have a turn inside long work: awaiting tensors alone never lets a signal handler run.
import { throwIfAborted } from '@safeinfer/backend';

const wait: () => Promise<void> =
  typeof setImmediate === 'function'
    ? () => new Promise((resolve) => setImmediate(resolve))
    : () => new Promise((resolve) => setTimeout(resolve, 0));

/** Call between two steps of long work. Throws ABORTED once the signal has aborted, also during this very turn. */
export async function nextTurn(signal: AbortSignal | undefined): Promise<void> {
  await wait();
  throwIfAborted(signal);
}
