// The weights of a block in one session, which computes the whole block or any one of its products.
import {
  createSession,
  type NativeSession,
  type OrtValue,
  ortValue,
  runSession,
} from '../../native/binding.ts';
import { Graph } from '../../onnx/graph.ts';
import { onnxModel } from '../../onnx/model.ts';
import { dequantize, type EightBit } from '../../weights/eight-bit.ts';
import { eightBitProduct } from '../../weights/eight-bit-weight.ts';
import { withFile } from '../../weights/external-file.ts';
import { JoinedWeights, signsOfAll } from '../../weights/joined-weights.ts';
import { SharedSession } from '../../weights/shared-session.ts';
import { sideBySide } from '../../weights/side-by-side.ts';
import { blockGraph, PRODUCTS, type ProductName, productShape } from './block-graph.ts';
import type { BlockPlan } from './block-plan.ts';
import { idleFeeds } from './idle-feeds.ts';

/** Values of the weights of each product, in order. */
export type BlockValues = Readonly<Record<ProductName, readonly Float32Array[]>>;

type Signs = Readonly<Record<ProductName, readonly (Uint8Array | undefined)[]>>;

/**
 * With threads that wait busily during a run a tenth faster than with ones that sleep between the nodes; beyond the run
 * they would meet those of the next block on one core. Measured by tools/bench/block-spinning.ts.
 */
const SESSION = { spin: true, asWritten: true } as const;

export class BlockWeights {
  readonly plan: BlockPlan;
  readonly products: Readonly<Record<ProductName, JoinedWeights>>;
  readonly #session: SharedSession;
  readonly #idle: Readonly<Record<string, OrtValue>>;

  private constructor(options: {
    readonly plan: BlockPlan;
    readonly native: NativeSession;
    readonly signs: Signs;
    readonly unpack?: (name: ProductName, index: number) => Float32Array;
  }) {
    const { plan, native, signs, unpack } = options;
    this.plan = plan;
    this.#idle = idleFeeds(plan);
    const session = new SharedSession(native, PRODUCTS.flatMap((name) => signs[name]).length);
    this.#session = session;
    this.products = eachProduct(
      (name) =>
        new JoinedWeights({
          ...productShape(plan, name),
          session,
          signs: signs[name],
          product: {
            multiply: (x, rows, outs) => this.#multiply(name, x, rows, outs),
            ...(unpack === undefined ? {} : { unpack: (index) => unpack(name, index) }),
          },
        }),
    );
  }

  /** Undefined for values that cannot be read back (NaN, infinity) and where there is no room for the file. */
  static join(options: {
    readonly plan: BlockPlan;
    readonly values: BlockValues;
    readonly threads: number;
    /** For the measurement that decided it. */
    readonly spin?: boolean;
  }): BlockWeights | undefined {
    const { plan, values, threads, spin = SESSION.spin } = options;
    const signs = eachProduct((name) => signsOfAll(values[name]));
    if (!PRODUCTS.every((name) => signs[name] !== undefined)) return undefined;
    const offsets = offsetsOf(plan);
    const multiply = (graph: Graph, file: string, name: ProductName, x: string): string => {
      const { inner, columns } = productShape(plan, name);
      const total = columns.reduce((sum, count) => sum + count, 0);
      const slice = { file, bytes: 4 * inner * total, offset: 4 * offsets[name] };
      const shape = [inner, total];
      const spec = { name: `w.${name}`, type: 'float32', shape, data: slice } as const;
      return graph.op('MatMul', [x, graph.constant(spec)]);
    };
    try {
      const native = withFile(oneAfterAnother(plan, values), (externalFolder, file) =>
        createSession(
          model(plan, (graph, name, x) => multiply(graph, file, name, x)),
          { ...SESSION, spin, threads, externalFolder },
        ),
      );
      return new BlockWeights({ plan, native, signs: signs as Signs });
    } catch {
      // As for a single weight: without room for the file the block works product by product.
      return undefined;
    }
  }

  /** The same of weights in 8 bits. */
  static joinEightBit(options: {
    readonly plan: BlockPlan;
    readonly weights: Readonly<Record<ProductName, readonly EightBit[]>>;
    readonly threads: number;
  }): BlockWeights {
    const { plan, weights, threads } = options;
    const bytes = model(plan, (graph, name, x) =>
      eightBitProduct(graph, x, { name: `w.${name}`, weights: weights[name] }),
    );
    return new BlockWeights({
      plan,
      native: createSession(bytes, { ...SESSION, threads }),
      signs: eachProduct((name) => weights[name].map(() => undefined)),
      unpack: (name, index) => dequantize(weights[name][index]!, false),
    });
  }

  get broken(): boolean {
    return this.#session.broken;
  }

  /** Computes the block; `feeds` as `blockFeeds` makes them. */
  run(feeds: Readonly<Record<string, OrtValue>>, fetches: Record<string, OrtValue>): void {
    runSession(this.#session.native, { ...this.#idle, ...feeds }, fetches);
  }

  #multiply(name: ProductName, x: Float32Array, rows: number, outs: readonly Float32Array[]): void {
    const { inner, columns } = productShape(this.plan, name);
    const feeds = { ...this.#idle, [`alone.${name}`]: ortValue('float32', x, [rows, inner]) };
    const fetches = Object.fromEntries(
      columns.map((count, i) => [`${name}${i}`, ortValue('float32', outs[i]!, [rows, count])]),
    );
    runSession(this.#session.native, feeds, fetches);
  }
}

export function eachProduct<T>(make: (name: ProductName) => T): Record<ProductName, T> {
  return Object.fromEntries(PRODUCTS.map((name) => [name, make(name)])) as Record<ProductName, T>;
}

function model(
  plan: BlockPlan,
  multiply: (graph: Graph, name: ProductName, x: string) => string,
): Uint8Array {
  const graph = new Graph();
  blockGraph(graph, plan, (name, x) => multiply(graph, name, x));
  return onnxModel(graph.spec());
}

/** Where each product's matrix begins, in values. */
function offsetsOf(plan: BlockPlan): Record<ProductName, number> {
  let offset = 0;
  return eachProduct((name) => {
    const start = offset;
    const { inner, columns } = productShape(plan, name);
    offset += inner * columns.reduce((sum, count) => sum + count, 0);
    return start;
  });
}

/** The products' matrices, piece by piece. */
function* oneAfterAnother(plan: BlockPlan, values: BlockValues): Iterable<Float32Array> {
  for (const name of PRODUCTS) yield* sideBySide(values[name], productShape(plan, name).inner);
}
