// Runs a reader on a hostile file: a typed error or a result, in bounded time and memory.
import { SafeInferError } from '@safeinfer/backend';
import { expect } from 'vitest';

/** Far above what a file of some kilobytes can need, far below what a forged size would ask for. */
const maxBytes = 32 * 1024 * 1024;
const maxMilliseconds = 5_000;

/** How a run ended: `ok`, or the code of its typed error. */
export type Outcome = string;

/**
 * Awaits `read`. Fails the test when it throws anything but a `SafeInferError` with a code and a
 * hint, or when memory or time go beyond the bounds.
 */
export async function hostileRun(read: () => Promise<unknown> | unknown): Promise<Outcome> {
  const before = process.memoryUsage();
  const start = performance.now();
  let outcome = 'ok';
  try {
    await read();
  } catch (error) {
    if (!SafeInferError.isInstance(error)) throw error;
    expect(error.hint.length).toBeGreaterThan(0);
    expect(error.message.length).toBeLessThan(8_000);
    outcome = error.code;
  }
  const after = process.memoryUsage();
  // Garbage is collected at some later time, so what was allocated is still counted here.
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(maxBytes);
  expect(after.heapUsed - before.heapUsed).toBeLessThan(4 * maxBytes);
  expect(performance.now() - start).toBeLessThan(maxMilliseconds);
  return outcome;
}

/** Counts outcomes, to show that the mutations reach both sides of the checks. */
export function tally(): { add(outcome: Outcome): void; readonly counts: Map<Outcome, number> } {
  const counts = new Map<Outcome, number>();
  return {
    counts,
    add: (outcome) => counts.set(outcome, (counts.get(outcome) ?? 0) + 1),
  };
}
