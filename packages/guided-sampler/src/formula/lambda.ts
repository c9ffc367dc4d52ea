// The two ways to state SafeInfer's strength: lambda as published, beta as the slope that acts.
import { SafeInferError } from '@safeinfer/backend';

/**
 * beta = lambda / (1 - lambda): 99 at lambda 0.99.
 * @throws BAD_ARGUMENT unless 0 <= lambda < 1: at 1 the norm is 0, above it the distribution is inverted.
 */
export function fromLambda(lambda: number): { readonly beta: number } {
  if (!(lambda >= 0 && lambda < 1)) {
    throw new SafeInferError(`lambda is ${lambda}`, {
      code: 'BAD_ARGUMENT',
      hint: 'lambda must be in [0, 1): at 1 nothing is left to normalise by, above 1 unsafe tokens would be preferred',
    });
  }
  return { beta: lambda / (1 - lambda) };
}

/** lambda = beta / (1 + beta), the inverse of `fromLambda`. */
export function toLambda(beta: number): number {
  return beta / (1 + beta);
}
