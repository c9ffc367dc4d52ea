// Declares weights that will not change, so that a backend may keep them in its fastest layout.
import * as tf from '@tensorflow/tfjs-core';

interface ConstantAware {
  markConstant(dataId: object): void;
}

/**
 * Tells the active backend that `weight` is a constant right operand of products. `ort` packs it at its
 * first product instead of its third; other backends ignore it. Values and results do not change; an edit
 * makes a new tensor, which is not marked.
 */
export function markConstant(weight: tf.Tensor): void {
  const backend = tf.backend() as tf.KernelBackend & Partial<ConstantAware>;
  backend.markConstant?.(weight.dataId);
}
