// The largest tensor, in bytes, that a backend can read or write in one piece; most have none but their memory.

const limits = new Map<string, number>();

/** Bytes of the largest tensor of a tfjs backend, or undefined where only memory bounds it. */
export function tensorLimit(backendName: string): number | undefined {
  return limits.get(backendName);
}

/** States, changes or (undefined) lifts the limit of a backend. */
export function limitTensors(backendName: string, bytes: number | undefined): void {
  if (bytes === undefined) limits.delete(backendName);
  else limits.set(backendName, bytes);
}
