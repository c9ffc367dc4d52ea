// The weights of a block in one session, which computes the whole block or any one of its products.
import { createSession, type OrtValue, ortValue, runSession } from '../../native/binding.ts';
import { Graph } from '../../onnx/graph.ts';
import { onnxModel } from '../../onnx/model.ts';
import { withFile } from '../../weights/external-file.ts';
import { JoinedWeights, sideBySide, signsOfAll } from '../../weights/joined-weights.ts';
import { SharedSession } from '../../weights/shared-session.ts';
import { blockGraph, PRODUCTS, type ProductName, productShape } from './block-graph.ts';
import { type BlockPlan, planKey } from './block-plan.ts';
import { idleFeeds } from './idle-feeds.ts';

/** Values of the weights of each product, in order. */
export type BlockValues = Readonly<Record<ProductName, readonly Float32Array[]>>;

export class BlockWeights {
  readonly key: string;
  readonly plan: BlockPlan;
  readonly products: Readonly<Record<ProductName, JoinedWeights>>;
  readonly #session: SharedSession;
  readonly #idle: Readonly<Record<string, OrtValue>>;

  private constructor(options: {
    readonly plan: BlockPlan;
    readonly session: SharedSession;
    readonly signs: Readonly<Record<ProductName, readonly (Uint8Array | undefined)[]>>;
  }) {
    const { plan, session, signs } = options;
    this.plan = plan;
    this.key = planKey(plan);
    this.#session = session;
    this.#idle = idleFeeds(plan);
    this.products = eachProduct(
      (name) =>
        new JoinedWeights({
          ...productShape(plan, name),
          session,
          signs: signs[name],
          product: { multiply: (x, rows, outs) => this.#multiply(name, x, rows, outs) },
        }),
    );
  }

  /** Undefined for values that cannot be read back (NaN, infinity) and where there is no room for the file. */
  static join(options: {
    readonly plan: BlockPlan;
    readonly values: BlockValues;
    readonly threads: number;
  }): BlockWeights | undefined {
    const { plan, values, threads } = options;
    const signs = eachProduct((name) => signsOfAll(values[name]));
    if (!PRODUCTS.every((name) => signs[name] !== undefined)) return undefined;
    const data = eachProduct((name) => sideBySide(values[name], productShape(plan, name).inner));
    const all = new Float32Array(PRODUCTS.reduce((sum, name) => sum + data[name].length, 0));
    const offsets = new Map<ProductName, number>();
    let offset = 0;
    for (const name of PRODUCTS) {
      all.set(data[name], offset);
      offsets.set(name, 4 * offset);
      offset += data[name].length;
    }
    const model = (file: string): Uint8Array => {
      const graph = new Graph();
      blockGraph(graph, plan, (name, x) => {
        const { inner, columns } = productShape(plan, name);
        const total = columns.reduce((sum, count) => sum + count, 0);
        const slice = { file, bytes: 4 * inner * total, offset: offsets.get(name)! };
        const shape = [inner, total];
        return graph.op('MatMul', [
          x,
          graph.constant({ name: `w.${name}`, type: 'float32', shape, data: slice }),
        ]);
      });
      return onnxModel(graph.spec());
    };
    try {
      const native = withFile(all, (externalFolder, file) =>
        createSession(model(file), { threads, externalFolder, spin: true, asWritten: true }),
      );
      const count = PRODUCTS.reduce((sum, name) => sum + values[name].length, 0);
      return new BlockWeights({
        plan,
        session: new SharedSession(native, count),
        signs: signs as Record<ProductName, (Uint8Array | undefined)[]>,
      });
    } catch {
      // As for a single weight: without room for the file the block works product by product.
      return undefined;
    }
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

function eachProduct<T>(make: (name: ProductName) => T): Record<ProductName, T> {
  return Object.fromEntries(PRODUCTS.map((name) => [name, make(name)])) as Record<ProductName, T>;
}
