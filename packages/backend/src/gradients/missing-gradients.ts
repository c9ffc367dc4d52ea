// Gradients that tfjs-core does not register: selections, scatters, and comparisons (which have none: zero).
import * as tf from '@tensorflow/tfjs-core';

type Saved = tf.Tensor[];

const COMPARISONS = [
  'Equal',
  'NotEqual',
  'Greater',
  'GreaterEqual',
  'Less',
  'LessEqual',
  'LogicalAnd',
  'LogicalOr',
] as const;

/**
 * Registers gradients for comparisons (zero, so that `tf.where(x.greater(0), ...)` differentiates),
 * LogicalNot, GatherNd, ScatterNd, TensorScatterUpdate and TopK. Leaves any that exist. Idempotent.
 */
export function registerMissingGradients(): void {
  for (const kernelName of COMPARISONS) {
    register({
      kernelName,
      inputsToSave: ['a', 'b'],
      gradFunc: (_dy, saved) => {
        const [a, b] = saved as Saved;
        return { a: () => tf.zerosLike(a!), b: () => tf.zerosLike(b!) };
      },
    });
  }
  register({
    kernelName: 'LogicalNot',
    inputsToSave: ['x'],
    gradFunc: (_dy, saved) => ({ x: () => tf.zerosLike((saved as Saved)[0]!) }),
  });
  register({
    kernelName: 'GatherNd',
    inputsToSave: ['params', 'indices'],
    gradFunc: (dy, saved) => {
      const [params, indices] = saved as Saved;
      return {
        params: () => tf.scatterND(indices!, dy as tf.Tensor, params!.shape),
        indices: () => tf.zerosLike(indices!),
      };
    },
  });
  register({
    kernelName: 'ScatterNd',
    inputsToSave: ['indices'],
    gradFunc: (dy, saved) => {
      const indices = (saved as Saved)[0]!;
      return {
        updates: () => tf.gatherND(dy as tf.Tensor, indices),
        indices: () => tf.zerosLike(indices),
      };
    },
  });
  register({
    kernelName: 'TensorScatterUpdate',
    inputsToSave: ['indices', 'updates'],
    gradFunc: (dy, saved) => {
      const [indices, updates] = saved as Saved;
      return {
        tensor: () => tf.tensorScatterUpdate(dy as tf.Tensor, indices!, tf.zerosLike(updates!)),
        updates: () => tf.gatherND(dy as tf.Tensor, indices!),
        indices: () => tf.zerosLike(indices!),
      };
    },
  });
  register({
    kernelName: 'TopK',
    inputsToSave: ['x'],
    outputsToSave: [false, true],
    gradFunc: (dys, saved) => {
      const [x, indices] = saved as Saved;
      // The values' gradient goes back to where they came from: a one-hot sum over the k picks.
      const width = x!.shape.at(-1)!;
      const dy = (dys as unknown as Saved)[0]!;
      return {
        x: () =>
          tf.tidy(() =>
            tf.sum(tf.mul(tf.oneHot(tf.cast(indices!, 'int32'), width), tf.expandDims(dy, -1)), -2),
          ),
      };
    },
  });
}

function register(config: tf.GradConfig): void {
  if (tf.getGradient(config.kernelName) === undefined) tf.registerGradient(config);
}
