// A weight held in 8 bits by ONNX Runtime's blockwise kernel: a quarter of the bytes to read at every step.
import { createSession, type NativeSession, ortValue, runSession } from '../native/binding.ts';
import { onnxModel } from '../onnx/model.ts';
import { BLOCK, dequantize, type EightBit, quantize } from './eight-bit.ts';
import type { ConstantWeight } from './packed-weight.ts';

/** The kernel's integer arithmetic: inputs are rounded to 8 bits too, block by block. */
const INT8_ARITHMETIC = 4;

/** Sums over what was rounded, for the report. */
export interface RoundingSums {
  squares: number;
  errors: number;
}

export class EightBitWeight implements ConstantWeight {
  readonly transposed: boolean;
  readonly #weight: EightBit;
  readonly #session: NativeSession;

  private constructor(weight: EightBit, transposed: boolean, session: NativeSession) {
    this.#weight = weight;
    this.transposed = transposed;
    this.#session = session;
  }

  /** Rounds and packs; adds the rounding errors to `sums`. */
  static pack(options: {
    readonly values: Float32Array;
    readonly shape: readonly [number, number];
    readonly transposed: boolean;
    readonly threads: number;
    readonly sums: RoundingSums;
  }): EightBitWeight | undefined {
    const { values, shape, transposed, threads, sums } = options;
    if (!values.every(Number.isFinite)) return undefined;
    const [inner, columns] = transposed ? [shape[1], shape[0]] : shape;
    const weight = quantize({ values, inner, columns, transposed });
    const rounded = dequantize(weight, transposed);
    for (let i = 0; i < values.length; i++) {
      sums.squares += values[i]! ** 2;
      sums.errors += (values[i]! - rounded[i]!) ** 2;
    }
    const blocks = Math.ceil(inner / BLOCK);
    const scaleBytes = new Uint8Array(weight.scales.buffer);
    const session = createSession(
      onnxModel({
        nodes: [
          {
            op: 'MatMulNBits',
            inputs: ['x', 'codes', 'scales'],
            outputs: ['y'],
            attributes: {
              K: inner,
              N: columns,
              bits: 8,
              block_size: BLOCK,
              accuracy_level: INT8_ARITHMETIC,
            },
            contrib: true,
          },
        ],
        inputs: [{ name: 'x', type: 'float32' }],
        outputs: [{ name: 'y', type: 'float32' }],
        initializers: [
          { name: 'codes', type: 'uint8', shape: [columns, blocks, BLOCK], data: weight.codes },
          { name: 'scales', type: 'float32', shape: [columns * blocks], data: scaleBytes },
        ],
      }),
      { threads },
    );
    return new EightBitWeight(weight, transposed, session);
  }

  multiply(x: Float32Array, rows: number, out: Float32Array): void {
    const { inner, columns } = this.#weight;
    runSession(
      this.#session,
      { x: ortValue('float32', x, [rows, inner]) },
      { y: ortValue('float32', out, [rows, columns]) },
    );
  }

  /** The rounded values: they are this weight now. */
  unpack(): Float32Array {
    return dequantize(this.#weight, this.transposed);
  }

  dispose(): void {
    this.#session.dispose();
  }
}
