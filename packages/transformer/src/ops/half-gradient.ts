// Halves of a block under a gradient tape as one kernel forward and one backward, where the backend has them.
import {
  runTrainingKernel,
  TRAINING_SAVES,
  type TrainedAttentionAttrs,
  type TrainedMlpAttrs,
  trainedNames,
} from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';

/** Tensors by the names of `TrainingKernels`. */
type Named = Readonly<Record<string, tf.Tensor>>;

/** The residual stream after the MLP, from the one before its norm; differentiable in `x` and what is trained. */
export function trainedMlp(inputs: Named, attrs: TrainedMlpAttrs): tf.Tensor2D {
  return trainedHalf({
    inputs,
    trained: ['x', ...trainedNames(attrs)],
    saves: TRAINING_SAVES.mlp(attrs),
    forward: (own) => runTrainingKernel('SafeInferTrainMlp', own, attrs),
    backward: (own) => runTrainingKernel('SafeInferTrainMlpGradient', own, attrs),
  });
}

/** The residual stream after attention, from the one before its norm; differentiable in `x` and what is trained. */
export function trainedAttention(inputs: Named, attrs: TrainedAttentionAttrs): tf.Tensor2D {
  return trainedHalf({
    inputs,
    trained: ['x', ...trainedNames(attrs)],
    saves: TRAINING_SAVES.attention(attrs),
    forward: (own) => runTrainingKernel('SafeInferTrainAttention', own, attrs),
    backward: (own) => runTrainingKernel('SafeInferTrainAttentionGradient', own, attrs),
  });
}

function trainedHalf(options: {
  readonly inputs: Named;
  readonly trained: readonly string[];
  readonly saves: readonly string[];
  readonly forward: (inputs: Named) => tf.Tensor[];
  readonly backward: (inputs: Named) => tf.Tensor[];
}): tf.Tensor2D {
  const { inputs, trained, saves, forward, backward } = options;
  const fixed = Object.keys(inputs).filter((name) => !trained.includes(name));
  const names = [...trained, ...fixed, ...saves];
  const run = tf.customGrad((...given) => {
    const save = given.at(-1) as unknown as tf.GradSaveFunc;
    const own = trained.map((_, i) => given[i] as tf.Tensor);
    const others = fixed.map((name) => inputs[name] as tf.Tensor);
    const [y, ...made] = forward(named(names, [...own, ...others]));
    save([...own, ...others, ...made]);
    return {
      value: y as tf.Tensor,
      gradFunc: (dy: tf.Tensor, kept: tf.Tensor[]) => backward({ ...named(names, kept), dy }),
    };
  });
  return run(...trained.map((name) => inputs[name] as tf.Tensor)) as tf.Tensor2D;
}

/** The first names with their tensors. */
function named(names: readonly string[], tensors: readonly tf.Tensor[]): Record<string, tf.Tensor> {
  return Object.fromEntries(tensors.map((tensor, i) => [names[i] as string, tensor]));
}
