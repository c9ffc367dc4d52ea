// Frees the arrays of packed weights while a model is being packed, not some time after.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Bytes of dropped arrays that are worth a collection. V8 sees only that arrays are made, not that ONNX
 * Runtime allocates: left alone it collects after the last weight, with two copies of the model in memory
 * and a heap whose holes the C library keeps. What is freed before the next weights are packed, they fill: at 48 MB the
 * process stays 30 MB larger.
 */
const WORTH_BYTES = 8 * 2 ** 20;

let dropped = 0;
let collect: (() => void) | undefined;

/** Counts an array that nobody needs any more, and collects when enough have come together. */
export function dropArray(bytes: number): void {
  dropped += bytes;
  if (dropped < WORTH_BYTES) return;
  dropped = 0;
  collect ??= collector();
  collect();
}

/** The collector of this isolate, reached without starting Node with a flag. */
function collector(): () => void {
  const exposed = (globalThis as { gc?: () => void }).gc;
  if (exposed !== undefined) return () => exposed();
  setFlagsFromString('--expose-gc');
  const reached = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return reached;
}
