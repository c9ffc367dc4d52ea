// Attention of a block's graph: rotation, scores over cached and new keys, weighted values.
import type { Graph } from '../../onnx/graph.ts';
import { weightedValues } from '../attention.ts';
import type { Pairing } from '../rope.ts';
import { type BlockPlan, PAST_SLOTS } from './block-plan.ts';

/**
 * z [N, h e] from queries beside keys [N, (h + kv) e] and values [N, kv e], with what adapters add to them; gives out
 * `keys` and `values`.
 */
export function attentionGraph(
  graph: Graph,
  plan: BlockPlan,
  [queriesKeys, flatValues]: readonly [string, string],
): string {
  const { nHeads, nKvHeads, biases, rotary, scale, softcap } = plan;
  const shape = (name: string, x: string): string =>
    graph.reshape(x, graph.input(`${name}Shape`, 'int64'));
  let both = shape('both', queriesKeys); // [N, h + kv, e]
  if (biases.heads) {
    const bias = graph.op('Concat', [graph.input('bias.Q'), graph.input('bias.K')], { axis: 0 });
    both = graph.add(both, bias);
  }
  both = graph.add(both, graph.input('delta.QK'));
  if (rotary !== undefined) both = rotate(graph, rotary, both);
  const [flat, newKeys] = graph.ops('Split', [both, graph.ints([nHeads, nKvHeads])], 2, {
    axis: 1,
  }) as [string, string];
  const scaled = scale === 1 ? flat : graph.mul(flat, graph.floats([scale]));
  const byHead = (x: string): string => graph.op('Transpose', [x], { perm: [0, 2, 1, 3] });
  let q = byHead(shape('queries', scaled)); // [S, h, T, e]
  let k = byHead(shape('keys', newKeys)); // [S, kv, T, e]
  let v = shape('keys', flatValues);
  if (biases.heads) v = graph.add(v, graph.input('bias.V'));
  v = graph.add(v, graph.input('delta.V'));
  v = byHead(v);
  graph.output('keys', k);
  graph.output('values', v);
  const grouped = nHeads !== nKvHeads;
  if (grouped) {
    // Queries of one key head side by side, or on an axis of their own where a mask tells them apart.
    q = shape('grouped', q);
    [k, v] = [shape('apart', k), shape('apart', v)];
  }
  const slots = Array.from({ length: PAST_SLOTS }, (_, i) => i);
  let z = weightedValues(graph, {
    q,
    keys: [...slots.map((i) => graph.input(`k${i}`)), k],
    values: [...slots.map((i) => graph.input(`v${i}`)), v],
    softcap,
    mask: graph.input('mask'),
    sizes: graph.input('lengths', 'int64'),
  });
  if (grouped) z = shape('ungrouped', z);
  return shape('flat', byHead(z));
}

/** y cos + (y P) sin for `y` [N, heads, e], with the signs of P in the sines. */
function rotate(graph: Graph, { half, partner, sign }: Pairing, y: string): string {
  const width = partner.length;
  let turned: string;
  if (half === undefined) turned = graph.op('Gather', [y, graph.ints([...partner])], { axis: -1 });
  else {
    const parts = graph.ops('Split', [y, graph.ints([half, width - half])], 2, { axis: -1 });
    turned = graph.op('Concat', [...parts].reverse(), { axis: -1 });
  }
  const sin = graph.mul(graph.input('sin'), graph.floats([...sign], [width]));
  return graph.add(graph.mul(y, graph.input('cos')), graph.mul(turned, sin));
}
