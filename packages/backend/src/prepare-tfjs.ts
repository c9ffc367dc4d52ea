// What tfjs needs before any backend is used: gradients, which tfjs-core does not register in Node.
import { registerMissingGradients } from './gradients/missing-gradients.ts';

let prepared: Promise<void> | undefined;

/**
 * Loads the `@tensorflow/tfjs` union once. In Node `@tensorflow/tfjs-core` alone registers no gradient
 * and its gradient modules cannot be imported from ESM; the union shares core's engine and registers
 * all of them. About 0.3 s, so not before a backend is asked for.
 */
export function prepareTfjs(): Promise<void> {
  prepared ??= import('@tensorflow/tfjs').then(() => registerMissingGradients());
  return prepared;
}
