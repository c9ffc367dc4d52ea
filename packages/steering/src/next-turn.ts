// A turn of the event loop inside long work that may be aborted meanwhile.
import { throwIfAborted, nextTurn as turn } from '@safeinfer/backend';

/** Call between two steps of long work. Throws ABORTED once the signal has aborted, also during this very turn. */
export async function nextTurn(signal: AbortSignal | undefined): Promise<void> {
  await turn();
  throwIfAborted(signal);
}
