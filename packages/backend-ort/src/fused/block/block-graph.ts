// A whole block as one graph, whose four products can also be asked for alone.
import { activationForward } from '../../kernels/training/activation-graph.ts';
import type { Graph } from '../../onnx/graph.ts';
import { normOf } from '../norm.ts';
import { attentionGraph } from './attention-graph.ts';
import type { BlockPlan } from './block-plan.ts';

/** Products of a block, in the order of their weights in a session. */
export const PRODUCTS = ['heads', 'output', 'up', 'down'] as const;
export type ProductName = (typeof PRODUCTS)[number];

/** Inner width and columns of each weight of a product. */
export function productShape(
  plan: BlockPlan,
  product: ProductName,
): { readonly inner: number; readonly columns: readonly number[] } {
  const { width, inner, gated } = plan;
  const all = plan.nHeads * plan.dHead;
  const kv = plan.nKvHeads * plan.dHead;
  switch (product) {
    case 'heads':
      return { inner: width, columns: [all, kv, kv] };
    case 'output':
      return { inner: all, columns: [width] };
    case 'up':
      return { inner: width, columns: gated ? [inner, inner] : [inner] };
    case 'down':
      return { inner, columns: [width] };
  }
}

/**
 * Adds the block to `graph`. Each product appears once, so its weight is packed once, and has two left operands, one
 * above the other: the block's own rows and `alone.{product}`. A call for the block gives no rows to the latter; a
 * call for one product gives rows to that one only, and everything else runs on nothing. Where columns are split,
 * the sizes say which of the two the rows are: the block's parts, or `{product}{i}` for the caller.
 *
 * Values: x [N, D]; y and mid (after attention) [N, D]; keys and values [S, kv, T, e], N = S T.
 */
export function blockGraph(
  graph: Graph,
  plan: BlockPlan,
  multiply: (product: ProductName, x: string) => string,
): void {
  const { gated, biases } = plan;
  const x = graph.input('x');
  const rows = graph.input('rows', 'int64');
  const product = (name: ProductName, own: string): string =>
    multiply(name, graph.op('Concat', [own, graph.input(`alone.${name}`)], { axis: 0 }));
  /** The block's parts of the columns; what remains belongs to a call for the product alone. */
  const split = (name: ProductName, y: string, parts: number): string[] => {
    const { columns } = productShape(plan, name);
    const all = graph.ops(
      'Split',
      [y, graph.input(`sizes.${name}`, 'int64')],
      parts + columns.length,
      { axis: -1 },
    );
    columns.forEach((_, i) => {
      graph.output(`${name}${i}`, all[parts + i]!);
    });
    return all.slice(0, parts);
  };
  /** The block's rows of a product, with its bias: x W + b. */
  const own = (name: 'output' | 'down', y: string): string => {
    graph.output(`${name}0`, y);
    const cut = graph.op('Slice', [y, graph.ints([0]), rows, graph.ints([0])]);
    return biases[name] ? graph.add(cut, graph.input(`bias.${name}`)) : cut;
  };

  const heads = split('heads', product('heads', norm(graph, plan, 'first', x)), 2);
  const z = attentionGraph(graph, plan, heads as [string, string]);
  const mid = graph.add(own('output', product('output', z)), x);
  graph.output('mid', mid);

  const shape = graph.input('upShape', 'int64');
  const up = split('up', product('up', norm(graph, plan, 'second', mid)), gated ? 2 : 1).map(
    (part, i) => {
      const shaped = graph.reshape(part, shape);
      return biases.up ? graph.add(shaped, graph.input(`bias.up${i}`)) : shaped;
    },
  );
  const activated = activationForward(graph, plan.activation, up[0]!);
  const post = gated ? graph.mul(activated, up[1]!) : activated;
  graph.output('y', graph.add(own('down', product('down', post)), mid));
}

function norm(graph: Graph, plan: BlockPlan, which: 'first' | 'second', x: string): string {
  const own = graph.input(`gain.${which}`);
  const gain = plan.gainOffset === 0 ? own : graph.add(own, graph.floats([plan.gainOffset]));
  const bias = plan.biases.norm ? graph.input(`bias.${which}`) : undefined;
  return normOf(graph, { kind: plan.norm, eps: plan.eps }, { x, gain, bias });
}
