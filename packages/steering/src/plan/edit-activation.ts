// Each operation as tensor arithmetic on the tokens of one row: [p, width] in, the same shape out.
import * as tf from '@tensorflow/tfjs-core';
import type { Condition, ConditionRule } from './condition.ts';
import type { AddOperation, RotateOperation, SteeringOperation } from './operation.ts';

/**
 * The edited activation as if every token were edited; `strengths` [p] holds each token's factor (host numbers).
 * `readIndex` is the token that a gate with `readAt: 'last'` reads. Runs inside the caller's tidy.
 */
export function editActivation(options: {
  readonly operation: SteeringOperation;
  readonly h: tf.Tensor2D;
  readonly strengths: Float32Array;
  readonly readIndex: number;
}): tf.Tensor2D {
  const { operation, h, strengths, readIndex } = options;
  const s = tf.tensor2d(strengths, [strengths.length, 1]);
  switch (operation.op) {
    case 'add':
      return add(operation, h, s);
    case 'ablate': {
      const u = line(unit(operation.vector));
      return tf.sub(h, tf.mul(tf.mul(along(h, u), s), u));
    }
    case 'project': {
      const u = line(unit(operation.vector));
      return tf.add(h, tf.mul(tf.mul(tf.sub(operation.value, along(h, u)), s), u));
    }
    case 'affine': {
      const u = line(unit(operation.vector));
      return tf.add(h, tf.mul(tf.mul(tf.sub(affineTarget(operation), along(h, u)), s), u));
    }
    case 'rotate':
      return rotate(operation, h, strengths);
    case 'slerp':
      return slerp(h, line(unit(operation.vector)), s);
    case 'conceptor': {
      const width = h.shape[1];
      const image = tf.matMul(h, tf.tensor2d(operation.matrix, [width, width]));
      return tf.add(h, tf.mul(s, tf.sub(tf.mul(image, operation.beta), h)));
    }
    case 'gate': {
      const read = operation.readAt === 'last' ? tf.slice(h, [readIndex, 0], [1, h.shape[1]]) : h;
      const { gate, bias = 0 } = operation;
      const open = tf.add(along(read, line(gate)), bias);
      return tf.add(h, tf.mul(tf.mul(open, s), line(operation.vector)));
    }
    case 'transport': {
      const moved = tf.add(tf.mul(h, line(operation.scale)), line(operation.shift));
      return tf.add(h, tf.mul(s, tf.sub(moved, h)));
    }
    case 'cap': {
      const u = line(unit(operation.vector));
      const excess = tf.relu(tf.sub(along(h, u), operation.max));
      return tf.sub(h, tf.mul(tf.mul(excess, s), u));
    }
  }
}

/** The component along the vector that ACE aims at: reference . r-hat + alpha |r|. */
export function affineTarget(operation: {
  readonly vector: Float32Array;
  readonly reference: Float32Array;
  readonly alpha: number;
}): number {
  const { vector, reference, alpha } = operation;
  let dot = 0;
  let square = 0;
  for (let i = 0; i < vector.length; i += 1) {
    dot += vector[i]! * reference[i]!;
    square += vector[i]! * vector[i]!;
  }
  const length = Math.sqrt(square);
  return dot / length + alpha * length;
}

/** Which tokens a rule of conditions with freeze 'token' lets through: bool [p, 1]. */
export function firingTokens(rule: ConditionRule, h: tf.Tensor2D): tf.Tensor2D {
  if ('all' in rule) {
    return rule.all.map((own) => firingTokens(own, h)).reduce((a, b) => tf.logicalAnd(a, b));
  }
  if ('any' in rule) {
    return rule.any.map((own) => firingTokens(own, h)).reduce((a, b) => tf.logicalOr(a, b));
  }
  return firing(rule, h);
}

function firing(condition: Condition, h: tf.Tensor2D): tf.Tensor2D {
  const { score, vector, bias = 0, fire, threshold } = condition;
  const direction = score === 'probe' ? vector : unit(vector);
  let value = along(h, line(direction));
  if (score === 'probe') value = tf.add(value, bias);
  if (score === 'cosine') value = tf.div(value, length(h));
  return fire === 'above' ? tf.greater(value, threshold) : tf.less(value, threshold);
}

function add(operation: AddOperation, h: tf.Tensor2D, s: tf.Tensor2D): tf.Tensor2D {
  const moved: tf.Tensor2D = tf.add(h, tf.mul(s, line(operation.vector)));
  if (operation.norm === undefined || operation.norm === 'free') return moved;
  const ratio = tf.divNoNan(length(h), length(moved));
  return tf.mul(moved, operation.norm === 'cap' ? tf.minimum(ratio, 1) : ratio);
}

function rotate(operation: RotateOperation, h: tf.Tensor2D, strengths: Float32Array): tf.Tensor2D {
  const first = unit(operation.vector);
  const second = orthogonalUnit(operation.second, first);
  const [b1, b2] = [line(first), line(second)];
  const [x, y] = [along(h, b1), along(h, b2)];
  const radians = (operation.degrees * Math.PI) / 180;
  let cos: tf.Tensor;
  let sin: tf.Tensor;
  if (operation.mode === 'offset') {
    const shape: [number, number] = [strengths.length, 1];
    cos = tf.tensor2d(
      strengths.map((s) => Math.cos(s * radians)),
      shape,
    );
    sin = tf.tensor2d(
      strengths.map((s) => Math.sin(s * radians)),
      shape,
    );
  } else {
    // Signed angle from the present direction in the plane to the wanted one.
    const [tx, ty] = [Math.cos(radians), Math.sin(radians)];
    const across: tf.Tensor2D = tf.sub(tf.mul(x, ty), tf.mul(y, tx));
    const ahead: tf.Tensor2D = tf.add(tf.mul(x, tx), tf.mul(y, ty));
    const angle = tf.atan2(across, ahead);
    const turn = tf.mul(angle, tf.tensor2d(strengths, [strengths.length, 1]));
    cos = tf.cos(turn);
    sin = tf.sin(turn);
  }
  const dx = tf.sub(tf.sub(tf.mul(x, cos), tf.mul(y, sin)), x);
  const dy = tf.sub(tf.add(tf.mul(x, sin), tf.mul(y, cos)), y);
  const turned: tf.Tensor2D = tf.add(h, tf.add(tf.mul(dx, b1), tf.mul(dy, b2)));
  return operation.adaptive ? tf.where(tf.greater(x, 0), turned, h) : turned;
}

function slerp(h: tf.Tensor2D, target: tf.Tensor2D, t: tf.Tensor2D): tf.Tensor2D {
  const norm = length(h);
  const from: tf.Tensor2D = tf.div(h, norm);
  const cos = along(from, target);
  const rest = tf.sub(target, tf.mul(cos, from));
  const sin = length(rest);
  const angle = tf.mul(tf.atan2(sin, cos), t);
  const turned = tf.add(tf.mul(tf.cos(angle), from), tf.mul(tf.sin(angle), tf.divNoNan(rest, sin)));
  // Parallel to the target there is no way to turn; antiparallel there is no one way.
  return tf.where(tf.greater(sin, 1e-6), tf.mul(norm, turned), h);
}

/** h . v of every token: [p, 1]. */
function along(h: tf.Tensor2D, v: tf.Tensor2D): tf.Tensor2D {
  return tf.sum(tf.mul(h, v), -1, true);
}

function length(h: tf.Tensor): tf.Tensor2D {
  return tf.sqrt(tf.sum(tf.square(h), -1, true));
}

function line(values: Float32Array): tf.Tensor2D {
  return tf.tensor2d(values, [1, values.length]);
}

/** The vector at length 1, computed in float64. */
export function unit(values: ArrayLike<number>): Float32Array {
  let square = 0;
  for (let i = 0; i < values.length; i += 1) square += values[i]! * values[i]!;
  const scale = 1 / Math.sqrt(square);
  return Float32Array.from(values, (value) => value * scale);
}

/** What `values` adds to the direction `first`, at length 1. */
function orthogonalUnit(values: Float32Array, first: Float32Array): Float32Array {
  let dot = 0;
  for (let i = 0; i < values.length; i += 1) dot += values[i]! * first[i]!;
  return unit(values.map((value, i) => value - dot * first[i]!));
}
