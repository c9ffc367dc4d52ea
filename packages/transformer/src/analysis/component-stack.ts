// Labelled parts of a residual stream, one tensor for all of them.
import type * as tf from '@tensorflow/tfjs-core';

/** Owns its tensor: dispose it, or bind it with `using`. */
export interface ComponentStack extends Disposable {
  /** One label a component, in order. */
  readonly labels: readonly string[];
  /** [components, p, D]. */
  readonly stack: tf.Tensor3D;
  dispose(): void;
}

/** Wraps a tensor that the stack takes over. */
export function componentStack(labels: readonly string[], stack: tf.Tensor3D): ComponentStack {
  const kept = stack;
  return {
    labels,
    stack: kept,
    dispose: () => kept.dispose(),
    [Symbol.dispose]: () => kept.dispose(),
  };
}
