// Frees what tfjs saved for a backward pass that will not come.
import * as tf from '@tensorflow/tfjs-core';

/**
 * Call after a function under `tf.grads` threw: tfjs 4.22 then leaves every tensor it saved for the
 * backward pass alive. Does nothing inside another gradient call, whose tape is still in use.
 */
export function discardTape(): void {
  const { state } = tf.engine();
  if (state.gradientDepth > 0 || state.activeTape == null) return;
  for (const node of state.activeTape) {
    for (const tensor of node.saved ?? []) tensor?.dispose();
  }
  state.activeTape = [];
}
