// One kind of edit on many parts of an activation at once, each part with its own numbers.
import * as tf from '@tensorflow/tfjs-core';
import type { DataIntervention, Values } from './intervention.ts';
import type { Selected } from './select-units.ts';

export interface UnitEdit {
  readonly intervention: DataIntervention;
  readonly selected: readonly Selected[];
}

/**
 * Edits `x` [units, width]. All edits are of one kind ('patch' counts as 'set') and touch different units.
 * Units nobody selected are copied bit for bit.
 */
export function applyGroup(x: tf.Tensor2D, edits: readonly UnitEdit[]): tf.Tensor2D {
  const units = x.shape[0];
  const touched = new Uint8Array(units);
  let count = 0;
  for (const { selected } of edits) {
    for (const { unit } of selected) {
      if (touched[unit] === 0) count++;
      touched[unit] = 1;
    }
  }
  if (count === 0) return x;
  const edited = editAll(x, edits);
  if (count === units) return edited.shape[0] === units ? edited : tf.broadcastTo(edited, x.shape);
  return tf.where(tf.tensor2d(touched, [units, 1], 'bool'), edited, x);
}

/** The edit as if it applied everywhere; what it says of untouched units is not used. */
function editAll(x: tf.Tensor2D, edits: readonly UnitEdit[]): tf.Tensor2D {
  const [units, width] = x.shape;
  const first = (edits[0] as UnitEdit).intervention;
  const number = (of: (intervention: DataIntervention) => number): tf.Tensor2D | number =>
    perUnit(units, edits, of);
  const vectors = (of: (intervention: DataIntervention) => Values, scaled?: Scaling): tf.Tensor2D =>
    vectorTable({ units, width, edits, of, scaled });
  switch (first.op) {
    case 'add':
      return tf.add(x, vectors(vectorOf, { by: scaleOf }));
    case 'set':
    case 'patch':
      return vectors(vectorOf);
    case 'scale':
      return tf.mul(
        x,
        number((edit) => (edit as Extract<DataIntervention, { op: 'scale' }>).factor),
      );
    case 'zero':
      return tf.zerosLike(x);
    case 'projectOut': {
      const u = vectors(vectorOf, { normalise: true });
      const along = tf.sum(tf.mul(x, u), -1, true);
      const strength = number(
        (edit) => (edit as Extract<DataIntervention, { op: 'projectOut' }>).strength ?? 1,
      );
      return tf.sub(x, tf.mul(tf.mul(along, strength), u));
    }
    case 'setComponent': {
      const u = vectors(vectorOf, { normalise: true });
      const along = tf.sum(tf.mul(x, u), -1, true);
      const target = number(
        (edit) => (edit as Extract<DataIntervention, { op: 'setComponent' }>).target,
      );
      return tf.add(x, tf.mul(tf.sub(target, along), u));
    }
    case 'addKeepNorm': {
      const moved = tf.add(x, vectors(vectorOf, { by: scaleOf }));
      const length = tf.norm(x, 'euclidean', -1, true);
      return tf.mul(moved, tf.divNoNan(length, tf.norm(moved, 'euclidean', -1, true)));
    }
    case 'clamp': {
      type Clamp = Extract<DataIntervention, { op: 'clamp' }>;
      const min = number((edit) => (edit as Clamp).min ?? Number.NEGATIVE_INFINITY);
      const max = number((edit) => (edit as Clamp).max ?? Number.POSITIVE_INFINITY);
      return tf.minimum(tf.maximum(x, min), max);
    }
  }
}

interface Scaling {
  readonly by?: (intervention: DataIntervention) => number;
  readonly normalise?: boolean;
}

function vectorOf(intervention: DataIntervention): Values {
  if ('vector' in intervention) return intervention.vector;
  return 'values' in intervention ? intervention.values : [];
}

function scaleOf(intervention: DataIntervention): number {
  return 'scale' in intervention ? (intervention.scale ?? 1) : 1;
}

/** A number of each unit's edit: plain when all agree, else [units, 1] with 0 elsewhere. */
function perUnit(
  units: number,
  edits: readonly UnitEdit[],
  of: (intervention: DataIntervention) => number,
): tf.Tensor2D | number {
  const values = edits.map(({ intervention }) => of(intervention));
  if (values.every((value) => value === values[0])) return values[0] as number;
  const column = new Float32Array(units);
  edits.forEach(({ selected }, i) => {
    for (const { unit } of selected) column[unit] = values[i] as number;
  });
  return tf.tensor2d(column, [units, 1]);
}

/** Each unit's vector: [1, width] when all agree, else [units, width] gathered from the distinct ones. */
function vectorTable(options: {
  readonly units: number;
  readonly width: number;
  readonly edits: readonly UnitEdit[];
  readonly of: (intervention: DataIntervention) => Values;
  readonly scaled: Scaling | undefined;
}): tf.Tensor2D {
  const { units, width, edits, of, scaled = {} } = options;
  const lines: Float32Array[] = [];
  const lineOf = new Int32Array(units);
  const known = new Map<Values, Map<number, Map<number, number>>>();
  for (const { intervention, selected } of edits) {
    const values = of(intervention);
    const scale = scaled.by?.(intervention) ?? 1;
    for (const { unit, source } of selected) {
      const byScale = known.get(values) ?? new Map<number, Map<number, number>>();
      known.set(values, byScale);
      const bySource = byScale.get(scale) ?? new Map<number, number>();
      byScale.set(scale, bySource);
      let line = bySource.get(source);
      if (line === undefined) {
        line = lines.length;
        bySource.set(source, line);
        lines.push(
          lineFrom({ values, source, width, scale, normalise: scaled.normalise ?? false }),
        );
      }
      lineOf[unit] = line;
    }
  }
  const flat = new Float32Array(lines.length * width);
  lines.forEach((line, i) => {
    flat.set(line, i * width);
  });
  const table = tf.tensor2d(flat, [lines.length, width]);
  return lines.length === 1 ? table : tf.gather(table, tf.tensor1d(lineOf, 'int32'));
}

function lineFrom(options: {
  readonly values: Values;
  readonly source: number;
  readonly width: number;
  readonly scale: number;
  readonly normalise: boolean;
}): Float32Array {
  const { values, source, width, scale, normalise } = options;
  const line = new Float32Array(width);
  let square = 0;
  for (let i = 0; i < width; i++) square += (values[source + i] as number) ** 2;
  const factor = normalise ? 1 / Math.sqrt(square) : scale;
  for (let i = 0; i < width; i++) line[i] = (values[source + i] as number) * factor;
  return line;
}
