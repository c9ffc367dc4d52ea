// A product with a weight, bias and low-rank delta, and its gradients, as graphs.
import type { TrainedLinear } from '@safeinfer/backend';
import type { Graph } from '../../onnx/graph.ts';

/** Y = X W (+ b) (+ scale (X A) B). */
export function linearForward(
  graph: Graph,
  name: string,
  linear: TrainedLinear,
  x: string,
): string {
  let y = graph.product(x, graph.input(`w${name}`));
  if (linear.bias) y = graph.add(y, graph.input(`b${name}`));
  if (linear.scale !== null) {
    const inner = graph.product(x, graph.input(`A${name}`), { alpha: linear.scale });
    y = graph.add(y, graph.product(inner, graph.input(`B${name}`)));
  }
  return y;
}

/** The parts of the gradient of X, from that of Y; gives out those of what is trained. */
export function linearBackward(
  graph: Graph,
  name: string,
  linear: TrainedLinear,
  values: { readonly x: string; readonly dy: string },
): string[] {
  const { x, dy } = values;
  if (linear.trainsWeight) graph.output(`dw${name}`, graph.product(x, dy, { transA: true }));
  if (linear.trainsBias) graph.output(`db${name}`, graph.overRows(dy));
  const parts = [graph.product(dy, graph.input(`w${name}`), { transB: true })];
  if (linear.scale !== null) {
    const A = graph.input(`A${name}`);
    const dInner = graph.product(dy, graph.input(`B${name}`), {
      transB: true,
      alpha: linear.scale,
    });
    const inner = graph.product(x, A, { alpha: linear.scale });
    graph.output(`dA${name}`, graph.product(x, dInner, { transA: true }));
    graph.output(`dB${name}`, graph.product(inner, dy, { transA: true }));
    parts.push(graph.product(dInner, A, { transB: true }));
  }
  return parts;
}
