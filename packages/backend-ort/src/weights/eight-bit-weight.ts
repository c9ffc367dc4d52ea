// A weight held in 8 bits by ONNX Runtime's blockwise kernel: a quarter of the bytes to read at every step.
import { createSession, type NativeSession, ortValue, runSession } from '../native/binding.ts';
import { Graph } from '../onnx/graph.ts';
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

/** The matrix in 8 bits, its rounding errors added to `sums`; undefined when a value is not finite. */
export function rounded(options: {
  readonly values: Float32Array;
  readonly shape: readonly [number, number];
  readonly transposed: boolean;
  readonly sums: RoundingSums;
}): EightBit | undefined {
  const { values, shape, transposed, sums } = options;
  if (!values.every(Number.isFinite)) return undefined;
  const [inner, columns] = transposed ? [shape[1], shape[0]] : shape;
  const weight = quantize({ values, inner, columns, transposed });
  const back = dequantize(weight, transposed);
  for (let i = 0; i < values.length; i++) {
    sums.squares += values[i]! ** 2;
    sums.errors += (values[i]! - back[i]!) ** 2;
  }
  return weight;
}

/** Adds x [N, inner] times weights of one inner width, their columns side by side. */
export function eightBitProduct(
  graph: Graph,
  x: string,
  constant: { readonly name: string; readonly weights: readonly EightBit[] },
): string {
  const { name, weights } = constant;
  const { inner } = weights[0]!;
  const columns = weights.reduce((sum, weight) => sum + weight.columns, 0);
  const blocks = Math.ceil(inner / BLOCK);
  const codes = graph.constant({
    name: `${name}.codes`,
    type: 'uint8',
    shape: [columns, blocks, BLOCK],
    data: Buffer.concat(weights.map((weight) => weight.codes)),
  });
  const scales = graph.constant({
    name: `${name}.scales`,
    type: 'float32',
    shape: [columns * blocks],
    data: Buffer.concat(weights.map((weight) => new Uint8Array(weight.scales.buffer))),
  });
  return graph.op(
    'MatMulNBits',
    [x, codes, scales],
    { K: inner, N: columns, bits: 8, block_size: BLOCK, accuracy_level: INT8_ARITHMETIC },
    true,
  );
}

export class EightBitWeight implements ConstantWeight {
  readonly transposed: boolean;
  readonly weight: EightBit;
  readonly #session: NativeSession;

  private constructor(weight: EightBit, transposed: boolean, session: NativeSession) {
    this.weight = weight;
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
    const weight = rounded({ values, shape, transposed, sums });
    if (weight === undefined) return undefined;
    const graph = new Graph();
    graph.output('y', eightBitProduct(graph, graph.input('x'), { name: 'w', weights: [weight] }));
    return new EightBitWeight(
      weight,
      transposed,
      createSession(onnxModel(graph.spec()), { threads }),
    );
  }

  multiply(x: Float32Array, rows: number, out: Float32Array): void {
    const { inner, columns } = this.weight;
    runSession(
      this.#session,
      { x: ortValue('float32', x, [rows, inner]) },
      { y: ortValue('float32', out, [rows, columns]) },
    );
  }

  /** The rounded values: they are this weight now. */
  unpack(): Float32Array {
    return dequantize(this.weight, this.transposed);
  }

  dispose(): void {
    this.#session.dispose();
  }
}
