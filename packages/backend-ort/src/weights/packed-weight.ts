// A matrix held by ONNX Runtime in the layout of its matrix kernel; the only copy, read back on demand.
import { createSession, type NativeSession, ortValue, runSession } from '../native/binding.ts';
import { type NodeSpec, onnxModel } from '../onnx/model.ts';
import { withFile } from './external-file.ts';

/** Of products of more rows, so many at a time: their part of the result stays in cache (a fifth faster at 1,024). */
const ROWS_AT_ONCE = 256;
/** Rows of the identity multiplied at once when reading back: bounds the scratch memory. */
const IDENTITY_ROWS = 64;

/** A right operand that lives in a session of its own. */
export interface ConstantWeight {
  /** True when it was given as W transposed. */
  readonly transposed: boolean;
  /** True when it should be read back and packed anew: what it shared a session with has gone. */
  readonly unsettled?: boolean;
  /**
   * out [rows, columns] = x [rows, inner] W. `source` tells whether a later x is the same: weights that share
   * a session are then multiplied once.
   */
  multiply(x: Float32Array, rows: number, out: Float32Array, source?: object): void;
  /** Its values, in the layout they were given in. */
  unpack(): Float32Array;
  dispose(): void;
}

/** A constant right operand W [inner, columns], or its transpose [columns, inner], of X W. */
export class PackedWeight implements ConstantWeight {
  readonly inner: number;
  readonly columns: number;
  readonly transposed: boolean;
  readonly #session: NativeSession;
  /** One bit per value: which zeros are negative. Undefined when none is. */
  readonly #negativeZeros: Uint8Array | undefined;

  private constructor(options: {
    readonly session: NativeSession;
    readonly inner: number;
    readonly columns: number;
    readonly transposed: boolean;
    readonly negativeZeros: Uint8Array | undefined;
  }) {
    this.#session = options.session;
    this.inner = options.inner;
    this.columns = options.columns;
    this.transposed = options.transposed;
    this.#negativeZeros = options.negativeZeros;
  }

  /**
   * Packs `values`, row-major of `shape`; undefined when they cannot be read back exactly (NaN, infinity)
   * or there is no room for the temporary file.
   */
  static pack(options: {
    readonly values: Float32Array;
    readonly shape: readonly [number, number];
    readonly transposed: boolean;
    readonly threads: number;
  }): PackedWeight | undefined {
    const { values, shape, transposed, threads } = options;
    const negativeZeros = signsOfZeros(values);
    if (negativeZeros === 'not finite') return undefined;
    const [inner, columns] = transposed ? [shape[1], shape[0]] : shape;
    const node: NodeSpec = transposed
      ? {
          op: 'FusedMatMul',
          inputs: ['x', 'w'],
          outputs: ['y'],
          attributes: { transB: 1 },
          contrib: true,
        }
      : { op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] };
    try {
      const session = withFile([values], (externalFolder, file) =>
        createSession(
          onnxModel({
            nodes: [node],
            inputs: [{ name: 'x', type: 'float32' }],
            outputs: [{ name: 'y', type: 'float32' }],
            initializers: [
              { name: 'w', type: 'float32', shape, data: { file, bytes: values.byteLength } },
            ],
          }),
          { threads, externalFolder },
        ),
      );
      return new PackedWeight({ session, inner, columns, transposed, negativeZeros });
    } catch {
      // A full or read-only temporary folder: the product works without packing, only slower.
      return undefined;
    }
  }

  /** out [rows, columns] = x [rows, inner] W. */
  multiply(x: Float32Array, rows: number, out: Float32Array): void {
    const { inner, columns } = this;
    for (let start = 0; start < rows; start += ROWS_AT_ONCE) {
      const end = Math.min(rows, start + ROWS_AT_ONCE);
      runSession(
        this.#session,
        { x: ortValue('float32', x.subarray(start * inner, end * inner), [end - start, inner]) },
        {
          y: ortValue('float32', out.subarray(start * columns, end * columns), [
            end - start,
            columns,
          ]),
        },
      );
    }
  }

  /** The values as they were packed, bit for bit: the identity times W, with the signs of zeros put back. */
  unpack(): Float32Array {
    const { inner, columns } = this;
    const product = identityProduct(inner, columns, (identity, rows, out) =>
      this.multiply(identity, rows, out),
    );
    const values = this.transposed ? transpose(product, inner, columns) : product;
    restoreSigns(values, this.#negativeZeros);
    return values;
  }

  dispose(): void {
    this.#session.dispose();
  }
}

/** W [inner, columns] as the product of the identity and W. */
export function identityProduct(
  inner: number,
  columns: number,
  multiply: (identity: Float32Array, rows: number, out: Float32Array) => void,
): Float32Array {
  const product = new Float32Array(inner * columns);
  for (let start = 0; start < inner; start += IDENTITY_ROWS) {
    const rows = Math.min(IDENTITY_ROWS, inner - start);
    const identity = new Float32Array(rows * inner);
    for (let row = 0; row < rows; row++) identity[row * inner + start + row] = 1;
    multiply(identity, rows, product.subarray(start * columns, (start + rows) * columns));
  }
  return product;
}

/** Puts back the signs of zeros that `signsOfZeros` noted. */
export function restoreSigns(values: Float32Array, signs: Uint8Array | undefined): void {
  if (signs === undefined) return;
  for (let index = 0; index < values.length; index++) {
    if ((signs[index >> 3]! >> (index & 7)) & 1) values[index] = -0;
  }
}

function transpose(x: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      out[column * rows + row] = x[row * columns + column]!;
    }
  }
  return out;
}

/** A bit set of the negative zeros, undefined when there is none; a sum over products loses their sign. */
export function signsOfZeros(values: Float32Array): Uint8Array | undefined | 'not finite' {
  let signs: Uint8Array | undefined;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (value - value !== 0) return 'not finite';
    if (value !== 0 || !Object.is(value, -0)) continue;
    signs ??= new Uint8Array(Math.ceil(values.length / 8));
    signs[index >> 3]! |= 1 << (index & 7);
  }
  return signs;
}
