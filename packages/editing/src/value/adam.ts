// Adam exactly as PyTorch runs it (bias correction in float64, epsilon 1e-8), on one vector.

export interface Adam {
  /** Moves `x` one step against `gradient`, in place. */
  step(x: Float64Array, gradient: Float64Array): void;
}

/** tf.train.adam differs (epsilon 1e-7, float32 correction), which is visible after one step. */
export function createAdam(options: {
  readonly size: number;
  readonly learningRate: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}): Adam {
  const { size, learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  const first = new Float64Array(size);
  const second = new Float64Array(size);
  let steps = 0;
  return {
    step(x, gradient) {
      steps += 1;
      const correction1 = 1 - beta1 ** steps;
      const correction2 = Math.sqrt(1 - beta2 ** steps);
      for (let i = 0; i < size; i += 1) {
        const g = gradient[i]!;
        first[i] = beta1 * first[i]! + (1 - beta1) * g;
        second[i] = beta2 * second[i]! + (1 - beta2) * g * g;
        const denominator = Math.sqrt(second[i]!) / correction2 + epsilon;
        x[i]! -= (learningRate / correction1) * (first[i]! / denominator);
      }
    },
  };
}
