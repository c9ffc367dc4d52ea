// Einstein summation lowered to transpose, reshape and matMul: differentiable, on every backend.
import * as tf from '@tensorflow/tfjs-core';
import { SafeInferError } from './safe-infer-error.ts';

/**
 * `einsum('bqhd,bkhd->bhqk', q, k)`: one or two operands, explicit output, no ellipsis, no repeated
 * index inside an operand. `tf.einsum` has no gradient anywhere and no wasm kernel.
 *
 * @throws SafeInferError BAD_ARGUMENT when the equation does not parse or a size disagrees,
 *   UNSUPPORTED for the forms above.
 */
export function einsum(equation: string, ...operands: tf.Tensor[]): tf.Tensor {
  const { inputs, output } = parse(equation, operands);
  const sizes = sizesOf(inputs, operands);
  return tf.tidy(() => {
    if (operands.length === 1) {
      const kept = reduceTo(operands[0]!, inputs[0]!, output);
      return permute(kept.x, kept.labels, output);
    }
    const left = reduceTo(operands[0]!, inputs[0]!, output + inputs[1]!);
    const right = reduceTo(operands[1]!, inputs[1]!, output + inputs[0]!);
    const has = (labels: string) => (label: string) => labels.includes(label);
    const labelsLeft = [...left.labels];
    const labelsRight = [...right.labels];
    const batch = labelsLeft.filter((l) => right.labels.includes(l) && output.includes(l));
    const inner = labelsLeft.filter((l) => right.labels.includes(l) && !output.includes(l));
    const rows = labelsLeft.filter((l) => !has(right.labels)(l));
    const columns = labelsRight.filter((l) => !has(left.labels)(l));
    const size = (labels: string[]): number => labels.reduce((n, l) => n * sizes.get(l)!, 1);
    const a = tf.reshape(permute(left.x, left.labels, [...batch, ...rows, ...inner].join('')), [
      size(batch),
      size(rows),
      size(inner),
    ]);
    const b = tf.reshape(
      permute(right.x, right.labels, [...batch, ...inner, ...columns].join('')),
      [size(batch), size(inner), size(columns)],
    );
    const order = [...batch, ...rows, ...columns];
    const product = tf.reshape(
      tf.matMul(a, b),
      order.map((l) => sizes.get(l)!),
    );
    return permute(product, order.join(''), output);
  });
}

function parse(
  equation: string,
  operands: readonly tf.Tensor[],
): { inputs: readonly string[]; output: string } {
  const match = /^([a-zA-Z]+)(?:,([a-zA-Z]+))?->([a-zA-Z]*)$/.exec(equation.replaceAll(' ', ''));
  if (match === null) {
    throw new SafeInferError(`einsum equation '${equation}' is not of a supported form`, {
      code: 'UNSUPPORTED',
      hint: "use one or two operands and an explicit output, like 'ij,jk->ik'",
    });
  }
  const inputs = [match[1]!, ...(match[2] === undefined ? [] : [match[2]])];
  const output = match[3]!;
  const repeated = [...inputs, output].find((labels) => new Set(labels).size !== labels.length);
  if (repeated !== undefined) {
    throw new SafeInferError(`einsum index repeated inside '${repeated}'`, {
      code: 'UNSUPPORTED',
      hint: 'take the diagonal first',
    });
  }
  const unknown = [...output].find((label) => !inputs.some((labels) => labels.includes(label)));
  if (inputs.length !== operands.length || unknown !== undefined) {
    throw new SafeInferError(`einsum equation '${equation}' does not match its operands`, {
      code: 'BAD_ARGUMENT',
      hint: 'name every operand once, and only their indices in the output',
    });
  }
  return { inputs, output };
}

function sizesOf(
  inputs: readonly string[],
  operands: readonly tf.Tensor[],
): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const [index, labels] of inputs.entries()) {
    const { shape } = operands[index]!;
    if (labels.length !== shape.length) {
      throw new SafeInferError(`einsum operand '${labels}' has shape [${shape}]`, {
        code: 'BAD_ARGUMENT',
        hint: 'give one index for each dimension',
      });
    }
    for (const [axis, label] of [...labels].entries()) {
      const known = sizes.get(label);
      if (known !== undefined && known !== shape[axis]) {
        throw new SafeInferError(`einsum index '${label}' is both ${known} and ${shape[axis]}`, {
          code: 'BAD_ARGUMENT',
          hint: 'an index has one size in all operands',
        });
      }
      sizes.set(label, shape[axis]!);
    }
  }
  return sizes;
}

/** Sums out the indices that appear nowhere else. */
function reduceTo(x: tf.Tensor, labels: string, wanted: string): { x: tf.Tensor; labels: string } {
  const axes = [...labels].flatMap((label, axis) => (wanted.includes(label) ? [] : [axis]));
  if (axes.length === 0) return { x, labels };
  return { x: tf.sum(x, axes), labels: [...labels].filter((l) => wanted.includes(l)).join('') };
}

function permute(x: tf.Tensor, from: string, to: string): tf.Tensor {
  if (from === to) return tf.clone(x);
  return tf.transpose(
    x,
    [...to].map((label) => from.indexOf(label)),
  );
}
