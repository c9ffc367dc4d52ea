// The norm before a half of a block and its gradient, as graphs.
import type { TrainedNorm } from '@safeinfer/backend';
import type { Graph } from '../../onnx/graph.ts';

/** Adds the norm of `x` [N, D] and gives out what its gradient needs; returns the normed value. */
export function normForward(graph: Graph, norm: TrainedNorm, x: string): string {
  const gain = wideGain(graph, norm);
  const attributes = { axis: -1, epsilon: { float: norm.eps } };
  let normed: string;
  if (norm.kind === 'rms') {
    const [y = '', inverse = ''] = graph.ops(
      'SimplifiedLayerNormalization',
      [x, gain],
      2,
      attributes,
    );
    normed = norm.bias ? graph.add(y, graph.input('normBias')) : y;
    graph.output('inverse', inverse);
  } else {
    const inputs = norm.bias ? [x, gain, graph.input('normBias')] : [x, gain];
    const [y = '', mean = '', inverse = ''] = graph.ops(
      'LayerNormalization',
      inputs,
      3,
      attributes,
    );
    normed = y;
    graph.output('inverse', inverse);
    graph.output('mean', mean);
  }
  graph.output('normed', normed);
  return normed;
}

/** The gradient of the norm's input from that of its output; gives out those of gain and bias when trained. */
export function normBackward(graph: Graph, norm: TrainedNorm, dNormed: string): string {
  const x = graph.input('x');
  const inverse = graph.input('inverse');
  const centred = norm.kind === 'rms' ? x : graph.sub(x, graph.input('mean'));
  const n = graph.mul(centred, inverse);
  const g = graph.mul(dNormed, wideGain(graph, norm));
  const along = graph.mul(n, graph.rowMean(graph.mul(g, n)));
  const plain = norm.kind === 'rms' ? g : graph.sub(g, graph.rowMean(g));
  if (norm.trainsGain) graph.output('dgain', graph.overRows(graph.mul(dNormed, n)));
  if (norm.trainsBias) graph.output('dnormBias', graph.overRows(dNormed));
  return graph.mul(graph.sub(plain, along), inverse);
}

function wideGain(graph: Graph, norm: TrainedNorm): string {
  const gain = graph.input('gain');
  return norm.gainOffset === 0 ? gain : graph.add(gain, graph.floats([norm.gainOffset]));
}
