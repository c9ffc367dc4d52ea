// Several right operands of the same left one side by side in one session: one product, one waking of the pool.
import { createSession, type NativeSession, ortValue, runSession } from '../native/binding.ts';
import { int64Bytes, onnxModel } from '../onnx/model.ts';
import { withFile } from './external-file.ts';
import {
  type ConstantWeight,
  identityProduct,
  restoreSigns,
  signsOfZeros,
} from './packed-weight.ts';

/** The products of one left operand that nobody has asked for yet: hooked passes ask for them one by one. */
let pending:
  | {
      readonly group: JoinedWeights;
      readonly source: object;
      readonly rows: number;
      readonly products: (Float32Array | undefined)[];
    }
  | undefined;

/** W1 [inner, c1], W2 [inner, c2], ... of X W1, X W2, ...: the columns of one constant. */
export class JoinedWeights {
  readonly inner: number;
  readonly columns: readonly number[];
  readonly members: readonly JoinedWeight[];
  readonly #session: NativeSession;
  #alive: number;

  private constructor(options: {
    readonly session: NativeSession;
    readonly inner: number;
    readonly columns: readonly number[];
    readonly signs: readonly (Uint8Array | undefined)[];
  }) {
    this.#session = options.session;
    this.inner = options.inner;
    this.columns = options.columns;
    this.members = options.signs.map((signs, index) => new JoinedWeight(this, index, signs));
    this.#alive = this.members.length;
  }

  /** Undefined where `PackedWeight.pack` would be: values that cannot be read back, no room for the file. */
  static join(options: {
    readonly values: readonly Float32Array[];
    readonly inner: number;
    readonly threads: number;
  }): JoinedWeights | undefined {
    const { values, inner, threads } = options;
    const signs: (Uint8Array | undefined)[] = [];
    for (const own of values) {
      const found = signsOfZeros(own);
      if (found === 'not finite') return undefined;
      signs.push(found);
    }
    const columns = values.map(({ length }) => length / inner);
    const total = columns.reduce((sum, count) => sum + count, 0);
    const names = columns.map((_, index) => `y${index}`);
    const data = sideBySide(values, columns, inner);
    try {
      const session = withFile(data, (externalFolder, file) =>
        createSession(
          onnxModel({
            nodes: [
              { op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] },
              {
                op: 'Split',
                inputs: ['y', 'columns'],
                outputs: names,
                attributes: { axis: -1 },
              },
            ],
            inputs: [{ name: 'x', type: 'float32' }],
            outputs: names.map((name) => ({ name, type: 'float32' as const })),
            initializers: [
              {
                name: 'w',
                type: 'float32',
                shape: [inner, total],
                data: { file, bytes: data.byteLength },
              },
              {
                name: 'columns',
                type: 'int64',
                shape: [columns.length],
                data: int64Bytes(columns),
              },
            ],
          }),
          { threads, externalFolder },
        ),
      );
      return new JoinedWeights({ session, inner, columns, signs });
    } catch {
      // As for a single weight: without room for the file it works unpacked.
      return undefined;
    }
  }

  /** True when one of the weights went its own way: the others should, too. */
  get broken(): boolean {
    return this.#alive < this.members.length;
  }

  /** outs[i] [rows, columns[i]] = x [rows, inner] W_i. */
  multiply(x: Float32Array, rows: number, outs: readonly Float32Array[]): void {
    const fetches = Object.fromEntries(
      outs.map((out, i) => [`y${i}`, ortValue('float32', out, [rows, this.columns[i]!])]),
    );
    runSession(this.#session, { x: ortValue('float32', x, [rows, this.inner]) }, fetches);
  }

  /** Ends the session with its last weight. */
  leave(): void {
    if (--this.#alive > 0) return;
    if (pending?.group === this) pending = undefined;
    this.#session.dispose();
  }
}

/** One weight of a group. */
export class JoinedWeight implements ConstantWeight {
  readonly transposed = false;
  readonly group: JoinedWeights;
  readonly #index: number;
  readonly #negativeZeros: Uint8Array | undefined;

  constructor(group: JoinedWeights, index: number, negativeZeros: Uint8Array | undefined) {
    this.group = group;
    this.#index = index;
    this.#negativeZeros = negativeZeros;
  }

  get unsettled(): boolean {
    return this.group.broken;
  }

  multiply(x: Float32Array, rows: number, out: Float32Array, source?: object): void {
    const { group } = this;
    const known = this.#pendingFor(source, rows);
    if (known !== undefined) {
      out.set(known);
      return;
    }
    const outs = group.columns.map((columns, index) =>
      index === this.#index ? out : new Float32Array(rows * columns),
    );
    group.multiply(x, rows, outs);
    if (source === undefined) return;
    const products = outs.map((own) => (own === out ? undefined : own));
    pending = { group, source, rows, products };
  }

  unpack(): Float32Array {
    const { inner, columns } = this.group;
    const values = identityProduct(inner, columns[this.#index]!, (identity, rows, out) =>
      this.multiply(identity, rows, out),
    );
    restoreSigns(values, this.#negativeZeros);
    return values;
  }

  dispose(): void {
    this.group.leave();
  }

  /** What an earlier call for another weight of the group has made already; handed out once. */
  #pendingFor(source: object | undefined, rows: number): Float32Array | undefined {
    if (pending === undefined || source === undefined) return undefined;
    if (pending.group !== this.group || pending.source !== source || pending.rows !== rows) {
      return undefined;
    }
    const { products } = pending;
    const own = products[this.#index];
    products[this.#index] = undefined;
    if (products.every((product) => product === undefined)) pending = undefined;
    return own;
  }
}

function sideBySide(
  values: readonly Float32Array[],
  columns: readonly number[],
  inner: number,
): Float32Array {
  const total = columns.reduce((sum, count) => sum + count, 0);
  const data = new Float32Array(inner * total);
  let start = 0;
  values.forEach((own, i) => {
    const count = columns[i]!;
    for (let row = 0; row < inner; row++) {
      data.set(own.subarray(row * count, (row + 1) * count), row * total + start);
    }
    start += count;
  });
  return data;
}
