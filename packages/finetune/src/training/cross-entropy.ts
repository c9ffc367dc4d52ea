// Weighted next-token loss with its gradient in closed form.
import { hasTrainingKernel, runTrainingKernel } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';

/**
 * The sum over lines of weight * -log softmax(logits)[target], as a differentiable scalar. `logits` [M, V],
 * `targets` int32 [M], `weights` [M]; differentiable with respect to the logits only.
 *
 * The loss is computed from the largest logit, which stays exact where the target's probability underflows.
 */
export function weightedCrossEntropy(
  logits: tf.Tensor2D,
  targets: tf.Tensor1D,
  weights: tf.Tensor1D,
): tf.Scalar {
  const fused = hasTrainingKernel('SafeInferCrossEntropy');
  return (fused ? fusedLoss : composedLoss)(logits, targets, weights);
}

/** The loss and its gradient as one kernel each. */
function fusedLoss(logits: tf.Tensor2D, targets: tf.Tensor1D, weights: tf.Tensor1D): tf.Scalar {
  const run = tf.customGrad((...inputs) => {
    const [x, save] = inputs as unknown as [tf.Tensor2D, tf.GradSaveFunc];
    const [loss, logp] = runTrainingKernel(
      'SafeInferCrossEntropy',
      { logits: x, targets, weights },
      {},
    );
    save([logp as tf.Tensor, targets, weights]);
    return {
      value: loss as tf.Scalar,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [kept, hits, factors] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        const inputs = { logp: kept, targets: hits, weights: factors, dy };
        return runTrainingKernel('SafeInferCrossEntropyGradient', inputs, {});
      },
    };
  });
  return run(logits) as tf.Scalar;
}

/** The same as tfjs operations, on any backend. */
export function composedLoss(
  logits: tf.Tensor2D,
  targets: tf.Tensor1D,
  weights: tf.Tensor1D,
): tf.Scalar {
  const run = tf.customGrad((...inputs) => {
    const [x, save] = inputs as unknown as [tf.Tensor2D, tf.GradSaveFunc];
    const probabilities = tf.softmax(x);
    // log sum exp(x) = max x - log(max p), and max p >= 1 / V cannot underflow.
    const logSum = tf.sub(tf.max(x, 1), tf.log(tf.max(probabilities, 1)));
    const losses = tf.sub(logSum, targetLogits(x, targets));
    // Saved tensors outlive the scope of the forward pass, in which the caller may have made these.
    save([probabilities, targets, weights]);
    return {
      value: tf.sum(tf.mul(losses, weights)),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [p, hits, factors] = saved as [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D];
        const hit = tf.oneHot(hits, p.shape[1]);
        const scale = tf.reshape(tf.mul(factors, dy), [p.shape[0], 1]);
        return [tf.mul(tf.sub(p, tf.cast(hit, 'float32')), scale)];
      },
    };
  });
  return run(logits) as tf.Scalar;
}

/** The logit of each line's target, [M]. */
function targetLogits(logits: tf.Tensor2D, targets: tf.Tensor1D): tf.Tensor1D {
  const [lines, vocabulary] = logits.shape;
  const starts = tf.range(0, lines * vocabulary, vocabulary, 'int32');
  return tf.gather(
    tf.reshape(logits, [lines * vocabulary]),
    tf.add(starts, targets),
  ) as tf.Tensor1D;
}
