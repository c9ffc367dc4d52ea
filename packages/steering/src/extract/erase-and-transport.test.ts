import { normals } from '@safeinfer/transformer';
import { describe, expect, it } from 'vitest';
import { dot, type Matrix, meanRow, rowOf } from '../linear-algebra/matrix.ts';
import { mapEigenvalues } from '../linear-algebra/symmetric-eigen.ts';
import { findCondition } from './find-condition.ts';
import { leace } from './leace.ts';
import { fitProbe, probeAccuracy } from './linear-probe.ts';
import { linearTransport } from './linear-transport.ts';

const WIDTH = 6;
/** Correlated noise around a mean: x = A z + mean. */
function cloud(seed: number, rows: number, mean: readonly number[]): Matrix {
  const z = normals(seed, rows * WIDTH);
  const a = normals(99, WIDTH * WIDTH);
  const values = new Float64Array(rows * WIDTH);
  for (let row = 0; row < rows; row += 1)
    for (let i = 0; i < WIDTH; i += 1) {
      let sum = mean[i]!;
      for (let k = 0; k < WIDTH; k += 1) sum += a[i * WIDTH + k]! * z[row * WIDTH + k]!;
      values[row * WIDTH + i] = sum;
    }
  return { rows, width: WIDTH, values };
}
const positive = cloud(1, 120, [3, 0, 1, 0, -2, 0]);
const negative = cloud(2, 80, [0, 1, 0, 0, 0, 0]);

function erased(x: Matrix, eraser: ReturnType<typeof leace>): Matrix {
  const values = new Float64Array(x.values.length);
  for (let row = 0; row < x.rows; row += 1) {
    const line = rowOf(x, row);
    const open = dot(
      line.map((value, i) => value - eraser.mean[i]!),
      eraser.gate,
    );
    for (let i = 0; i < x.width; i += 1) {
      values[row * x.width + i] = line[i]! - open * eraser.vector[i]!;
    }
  }
  return { ...x, values };
}

describe('LEACE', () => {
  const eraser = leace(positive, negative);
  const [p, n] = [erased(positive, eraser), erased(negative, eraser)];

  it('gives both classes one mean, so that the best probe is at chance', () => {
    const [a, b] = [meanRow(p), meanRow(n)];
    for (let i = 0; i < WIDTH; i += 1) expect(a[i]!).toBeCloseTo(b[i]!, 9);
    const labels = [...Array(120).fill(true), ...Array(80).fill(false)] as boolean[];
    const join = (x: Matrix, y: Matrix): Matrix => ({
      rows: x.rows + y.rows,
      width: WIDTH,
      values: Float64Array.from([...x.values, ...y.values]),
    });
    expect(probeAccuracy(fitProbe(join(p, n), labels), join(p, n), labels)).toBe(0.6);
    // Negative control: before erasure a probe tells them apart.
    const before = join(positive, negative);
    expect(probeAccuracy(fitProbe(before, labels), before, labels)).toBeGreaterThan(0.75);
  });

  it('is the whitened projection of the paper, W^+ P W', () => {
    const all = Float64Array.from([...positive.values, ...negative.values]);
    const rows = positive.rows + negative.rows;
    const mean = meanRow({ rows, width: WIDTH, values: all });
    const covariance = new Float64Array(WIDTH * WIDTH);
    for (let row = 0; row < rows; row += 1)
      for (let i = 0; i < WIDTH; i += 1)
        for (let j = 0; j < WIDTH; j += 1)
          covariance[i * WIDTH + j]! +=
            ((all[row * WIDTH + i]! - mean[i]!) * (all[row * WIDTH + j]! - mean[j]!)) / rows;
    const sigma = { rows: WIDTH, width: WIDTH, values: covariance };
    const whiten = mapEigenvalues(sigma, (value) => value ** -0.5);
    const unwhiten = mapEigenvalues(sigma, (value) => value ** 0.5);
    const times = (m: Matrix, v: ArrayLike<number>): Float64Array =>
      Float64Array.from({ length: WIDTH }, (_, i) => dot(rowOf(m, i), v));
    const whitened = times(whiten, eraser.vector);
    const x = rowOf(positive, 5);
    const centred = times(
      whiten,
      x.map((value, i) => value - mean[i]!),
    );
    const along = dot(centred, whitened) / dot(whitened, whitened);
    const removed = times(
      unwhiten,
      whitened.map((value) => value * along),
    );
    for (let i = 0; i < WIDTH; i += 1) expect(rowOf(p, 5)[i]!).toBeCloseTo(x[i]! - removed[i]!, 9);
  });

  it('is a gate with a bias, and refuses classes that are equal already', () => {
    const operation = eraser.operation({ layer: 3 });
    const x = rowOf(negative, 7);
    const open = dot(x, operation.gate) + operation.bias!;
    const after = rowOf(n, 7);
    for (let i = 0; i < WIDTH; i += 1)
      expect(x[i]! + open * operation.vector[i]!).toBeCloseTo(after[i]!, 5);
    expect(() => leace(positive, positive)).toThrowError(/nothing to erase/);
  });
});

describe('Linear-AcT', () => {
  it('finds the line of each coordinate, whatever the order of the rows', () => {
    const scale = [2, 0.5, 1, 3, 1, 0.1];
    const shift = [1, 0, -4, 2, 0.5, 9];
    const moved = positive.values.map((v, i) => v * scale[i % WIDTH]! + shift[i % WIDTH]!);
    // Rows in another order: transport pairs values, not rows.
    const reversed = new Float64Array(moved.length);
    for (let row = 0; row < positive.rows; row += 1)
      reversed.set(
        moved.subarray(row * WIDTH, (row + 1) * WIDTH),
        (positive.rows - 1 - row) * WIDTH,
      );
    const map = linearTransport({ from: positive, to: { ...positive, values: reversed } });
    for (let i = 0; i < WIDTH; i += 1) {
      expect(map.scale[i]!).toBeCloseTo(scale[i]!, 9);
      expect(map.shift[i]!).toBeCloseTo(shift[i]!, 8);
    }
    expect(map.operation({ layer: 2 })).toMatchObject({ op: 'transport', layer: 2 });
  });

  it('meets the means of sets of different size', () => {
    const map = linearTransport({ from: negative, to: positive });
    const image = meanRow(negative).map((value, i) => map.scale[i]! * value + map.shift[i]!);
    const wanted = meanRow(positive);
    for (let i = 0; i < WIDTH; i += 1) expect(image[i]!).toBeCloseTo(wanted[i]!, 0);
    expect(() =>
      linearTransport({ from: { ...negative, rows: 0, values: new Float64Array() }, to: positive }),
    ).toThrowError(/both sides/);
  });
});

describe('a condition found from prompts', () => {
  const line = (...values: number[]): Matrix => ({
    rows: values.length,
    width: 1,
    values: Float64Array.from(values),
  });
  const condition = { score: 'projection', vector: Float32Array.of(1), layer: 0 } as const;

  it('is the threshold and side with the best F1', () => {
    // Positive prompts score low: it has to fire below.
    const found = findCondition({
      candidates: [{ condition, positive: line(-3, -2, 0.2), negative: line(0.1, 2, 3) }],
    });
    expect(found.condition.fire).toBe('below');
    // F1 of cutting at 0.15..2 is 6/7, of cutting below 0.1 is 4/5.
    expect(found.f1).toBeCloseTo(6 / 7, 12);
    expect(found.condition.threshold).toBeCloseTo(1.1, 6);
  });

  it('takes the layer that separates, and refuses NaN and equal scores', () => {
    const found = findCondition({
      candidates: [
        { condition, positive: line(1, 2), negative: line(1.5, 2.5) },
        { condition: { ...condition, layer: 4 }, positive: line(5, 6), negative: line(1, 2) },
      ],
    });
    expect(found.condition).toMatchObject({ layer: 4, fire: 'above', threshold: 3.5 });
    expect(found.f1).toBe(1);
    const bad = (positive: Matrix) => () =>
      findCondition({ candidates: [{ condition, positive, negative: line(1) }] });
    expect(bad(line(Number.NaN))).toThrowError(/not a number/);
    expect(bad(line(1))).toThrowError(/no threshold/);
  });
});
