// A small ONNX graph put together operation by operation.
import type { InitializerSpec, ModelSpec, NodeSpec, ValueSpec } from './model.ts';

type Attributes = NonNullable<NodeSpec['attributes']>;

export interface ProductOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
}

/** Values are names; every method that computes returns the name of what it made. */
export class Graph {
  readonly #nodes: NodeSpec[] = [];
  readonly #inputs: ValueSpec[] = [];
  readonly #outputs: ValueSpec[] = [];
  readonly #constants = new Map<string, InitializerSpec>();
  /** Computed values that are outputs: written in place, not copied. */
  readonly #renamed = new Map<string, string>();
  #made = 0;

  input(name: string, type: ValueSpec['type'] = 'float32'): string {
    if (!this.#inputs.some((own) => own.name === name)) this.#inputs.push({ name, type });
    return name;
  }

  /** Gives `value` out under `name`. */
  output(name: string, value: string): void {
    this.#outputs.push({ name, type: 'float32' });
    if (this.#inputs.some((own) => own.name === value) || this.#renamed.has(value)) {
      this.#nodes.push({ op: 'Identity', inputs: [value], outputs: [name] });
    } else this.#renamed.set(value, name);
  }

  /** A constant scalar or vector of floats. */
  floats(values: readonly number[], shape: readonly number[] = []): string {
    return this.#constant('float32', shape, Float32Array.from(values));
  }

  ints(values: readonly number[]): string {
    return this.#constant('int64', [values.length], BigInt64Array.from(values.map(BigInt)));
  }

  /** A constant with a name of its own: a weight. */
  constant(spec: InitializerSpec): string {
    this.#constants.set(spec.name, spec);
    return spec.name;
  }

  op(op: string, inputs: readonly string[], attributes: Attributes = {}, contrib = false): string {
    return this.ops(op, inputs, 1, attributes, contrib)[0] as string;
  }

  ops(
    op: string,
    inputs: readonly string[],
    count: number,
    attributes: Attributes = {},
    contrib = false,
  ): string[] {
    const outputs = Array.from({ length: count }, () => `t${this.#made++}`);
    this.#nodes.push({ op, inputs, outputs, attributes, ...(contrib ? { contrib } : {}) });
    return outputs;
  }

  add(a: string, b: string): string {
    return this.op('Add', [a, b]);
  }

  sub(a: string, b: string): string {
    return this.op('Sub', [a, b]);
  }

  mul(a: string, b: string): string {
    return this.op('Mul', [a, b]);
  }

  sum(values: readonly string[]): string {
    return values.length === 1 ? (values[0] as string) : this.op('Sum', values);
  }

  product(a: string, b: string, options: ProductOptions = {}): string {
    const { transA = false, transB = false, alpha = 1 } = options;
    if (!transA && !transB && alpha === 1) return this.op('MatMul', [a, b]);
    return this.op(
      'FusedMatMul',
      [a, b],
      { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } },
      true,
    );
  }

  /** Zero sizes of `shape` are sizes, not "as before". */
  reshape(x: string, shape: string): string {
    return this.op('Reshape', [x, shape], { allowzero: 1 });
  }

  /** Sum over the first axis of a matrix. */
  overRows(x: string): string {
    return this.op('ReduceSum', [x, this.ints([0])], { keepdims: 0 });
  }

  /** Mean over the last axis, kept. */
  rowMean(x: string): string {
    return this.op('ReduceMean', [x, this.ints([-1])], { keepdims: 1 });
  }

  rowSum(x: string): string {
    return this.op('ReduceSum', [x, this.ints([-1])], { keepdims: 1 });
  }

  spec(): ModelSpec {
    const renamed = (names: readonly string[]): string[] =>
      names.map((name) => this.#renamed.get(name) ?? name);
    return {
      nodes: this.#nodes.map((node) => ({
        ...node,
        inputs: renamed(node.inputs),
        outputs: renamed(node.outputs),
      })),
      inputs: this.#inputs,
      outputs: this.#outputs,
      initializers: [...this.#constants.values()],
    };
  }

  #constant(
    type: 'float32' | 'int64',
    shape: readonly number[],
    values: Float32Array | BigInt64Array,
  ): string {
    const name = `${type}/${shape}/${values.join()}`;
    this.#constants.set(name, { name, type, shape, data: new Uint8Array(values.buffer) });
    return name;
  }
}
