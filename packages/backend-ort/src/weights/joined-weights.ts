// Several right operands of the same left one side by side in one session: one product, one waking of the pool.
import { createSession, ortValue, runSession } from '../native/binding.ts';
import { Graph } from '../onnx/graph.ts';
import { onnxModel } from '../onnx/model.ts';
import { withFile } from './external-file.ts';
import {
  type ConstantWeight,
  identityProduct,
  restoreSigns,
  signsOfZeros,
} from './packed-weight.ts';
import { SharedSession } from './shared-session.ts';
import { sideBySide } from './side-by-side.ts';

/** The products of one left operand that nobody has asked for yet: hooked passes ask for them one by one. */
let pending:
  | {
      readonly group: JoinedWeights;
      readonly source: object;
      readonly rows: number;
      readonly products: (Float32Array | undefined)[];
    }
  | undefined;

/** How a group multiplies, and reads its weights back where the identity would not give them. */
export interface GroupProduct {
  /** outs[i] [rows, columns[i]] = x [rows, inner] W_i. */
  readonly multiply: (x: Float32Array, rows: number, outs: readonly Float32Array[]) => void;
  /** Values of one weight; by default the identity times it, with the signs of zeros put back. */
  readonly unpack?: (index: number) => Float32Array;
}

/** W1 [inner, c1], W2 [inner, c2], ... of X W1, X W2, ...: the columns of one constant. */
export class JoinedWeights {
  readonly inner: number;
  readonly columns: readonly number[];
  readonly members: readonly JoinedWeight[];
  readonly session: SharedSession;
  readonly #product: GroupProduct;

  constructor(options: {
    readonly session: SharedSession;
    readonly inner: number;
    readonly columns: readonly number[];
    readonly signs: readonly (Uint8Array | undefined)[];
    readonly product: GroupProduct;
  }) {
    this.session = options.session;
    this.inner = options.inner;
    this.columns = options.columns;
    this.#product = options.product;
    this.members = options.signs.map((signs, index) => new JoinedWeight(this, index, signs));
  }

  /** Undefined where `PackedWeight.pack` would be: values that cannot be read back, no room for the file. */
  static join(options: {
    readonly values: readonly Float32Array[];
    readonly inner: number;
    readonly threads: number;
  }): JoinedWeights | undefined {
    const { values, inner, threads } = options;
    const signs = signsOfAll(values);
    if (signs === undefined) return undefined;
    const columns = values.map(({ length }) => length / inner);
    const total = columns.reduce((sum, count) => sum + count, 0);
    const build = (file: string): Uint8Array => {
      const graph = new Graph();
      const slice = { file, bytes: 4 * inner * total };
      graph.constant({ name: 'w', type: 'float32', shape: [inner, total], data: slice });
      const all = graph.op('MatMul', [graph.input('x'), 'w']);
      graph
        .ops('Split', [all, graph.ints(columns)], columns.length, { axis: -1 })
        .forEach((part, index) => {
          graph.output(`y${index}`, part);
        });
      return onnxModel(graph.spec());
    };
    try {
      const native = withFile(sideBySide(values, inner), (externalFolder, file) =>
        createSession(build(file), { threads, externalFolder }),
      );
      const session = new SharedSession(native, values.length);
      return new JoinedWeights({
        session,
        inner,
        columns,
        signs,
        product: {
          multiply: (x, rows, outs) => {
            const fetches = Object.fromEntries(
              outs.map((out, i) => [`y${i}`, ortValue('float32', out, [rows, columns[i]!])]),
            );
            runSession(native, { x: ortValue('float32', x, [rows, inner]) }, fetches);
          },
        },
      });
    } catch {
      // As for a single weight: without room for the file it works unpacked.
      return undefined;
    }
  }

  /** True when one of the session's weights went its own way: the others should, too. */
  get broken(): boolean {
    return this.session.broken;
  }

  /** outs[i] [rows, columns[i]] = x [rows, inner] W_i. */
  multiply(x: Float32Array, rows: number, outs: readonly Float32Array[]): void {
    this.#product.multiply(x, rows, outs);
  }

  /** The values of a member as they were given, bit for bit. */
  unpack(index: number): Float32Array {
    const own = this.#product.unpack?.(index);
    if (own !== undefined) return own;
    const { inner, columns, members } = this;
    const outs = (rows: number, out: Float32Array): Float32Array[] =>
      columns.map((count, i) => (i === index ? out : new Float32Array(rows * count)));
    const values = identityProduct(inner, columns[index]!, (identity, rows, out) =>
      this.multiply(identity, rows, outs(rows, out)),
    );
    restoreSigns(values, members[index]!.negativeZeros);
    return values;
  }

  /** Ends the session with its last weight. */
  leave(): void {
    if (pending?.group === this) pending = undefined;
    this.session.leave();
  }
}

/** One weight of a group. */
export class JoinedWeight implements ConstantWeight {
  readonly transposed = false;
  readonly group: JoinedWeights;
  /** One bit per value: which zeros are negative. Undefined when none is. */
  readonly negativeZeros: Uint8Array | undefined;
  readonly #index: number;

  constructor(group: JoinedWeights, index: number, negativeZeros: Uint8Array | undefined) {
    this.group = group;
    this.#index = index;
    this.negativeZeros = negativeZeros;
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
    if (source === undefined || outs.length === 1) return;
    const products = outs.map((own) => (own === out ? undefined : own));
    pending = { group, source, rows, products };
  }

  unpack(): Float32Array {
    return this.group.unpack(this.#index);
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

/** The signs of zeros of each weight; undefined when a value is not finite. */
export function signsOfAll(
  values: readonly Float32Array[],
): (Uint8Array | undefined)[] | undefined {
  const signs: (Uint8Array | undefined)[] = [];
  for (const own of values) {
    const found = signsOfZeros(own);
    if (found === 'not finite') return undefined;
    signs.push(found);
  }
  return signs;
}
