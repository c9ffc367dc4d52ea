// The attention half of a block with what its gradient needs, and that gradient: one native call each.
import {
  TRAINING_SAVES,
  type TrainedAttentionAttrs,
  type TrainedLinear,
  trainedNames,
} from '@safeinfer/backend';
import type { Graph } from '../../onnx/graph.ts';
import type { Kernel, KernelCall } from '../kernel.ts';
import { linearBackward, linearForward } from './linear-graph.ts';
import { normBackward, normForward } from './norm-graph.ts';
import { runGraph } from './run-graph.ts';

export const trainAttention: Kernel = (call) => {
  const attrs = call.attrs as unknown as TrainedAttentionAttrs;
  const form = formOf(call);
  const shapes = shapesOf(call, attrs);
  return runGraph({
    call,
    signature: `trainAttention/${signatureOf(attrs, form)}`,
    build: (graph) => forward(graph, attrs, form),
    reads: Object.keys(call.inputs).filter((name) => name !== 'places' || form.ragged),
    shapes: shapeFeeds(attrs),
    gives: ['y', ...TRAINING_SAVES.attention(attrs)].map((name) => [name, shapes[name] ?? []]),
    work: workOf(call),
  });
};

export const trainAttentionGradient: Kernel = (call) => {
  const attrs = call.attrs as unknown as TrainedAttentionAttrs;
  const form = formOf(call);
  return runGraph({
    call,
    signature: `trainAttentionGradient/${signatureOf(attrs, form)}`,
    build: (graph) => backward(graph, attrs, form),
    // Biases and the mask shape no gradient: hidden keys have probability 0.
    reads: Object.keys(call.inputs).filter((name) => !/^(b[QKVO]|normBias|mask)$/.test(name)),
    shapes: shapeFeeds(attrs),
    gives: ['x', ...trainedNames(attrs)].map((name) => [`d${name}`, call.inputs[name]!.shape]),
    work: 2 * workOf(call),
  });
};

/** Which optional inputs there are. */
interface Form {
  readonly masked: boolean;
  /** Rows of different lengths: padded for attention. */
  readonly ragged: boolean;
}

function formOf({ inputs }: KernelCall): Form {
  return { masked: inputs['mask'] !== undefined, ragged: inputs['slots'] !== undefined };
}

/** Row counts and lengths are inputs of the graph, not part of it. */
function signatureOf(attrs: TrainedAttentionAttrs, form: Form): string {
  const { rows: _rows, longest: _longest, ...fixed } = attrs;
  return JSON.stringify({ ...fixed, ...form });
}

function workOf({ inputs, attrs }: KernelCall): number {
  const { longest, nHeads, dHead } = attrs as unknown as TrainedAttentionAttrs;
  const [tokens = 0, width = 0] = inputs['x']!.shape;
  return tokens * nHeads * dHead * (4 * width + 2 * longest);
}

function shapesOf({ inputs }: KernelCall, attrs: TrainedAttentionAttrs): Record<string, number[]> {
  const { nHeads, nKvHeads, dHead, rows, longest } = attrs;
  const x = inputs['x']!.shape;
  const column = [x[0]!, 1];
  const queries = (nHeads / nKvHeads) * longest;
  return {
    y: x,
    normed: x,
    inverse: column,
    mean: column,
    q: [rows, nKvHeads, queries, dHead],
    k: [rows, nKvHeads, longest, dHead],
    v: [rows, nKvHeads, longest, dHead],
    pattern: [rows, nKvHeads, queries, longest],
    packedZ: [rows, nKvHeads, queries, dHead],
    z: [x[0]!, nHeads * dHead],
  };
}

/** Shapes that differ from batch to batch. */
function shapeFeeds(attrs: TrainedAttentionAttrs): Record<string, readonly number[]> {
  const { nHeads, nKvHeads, dHead, rows, longest } = attrs;
  const group = nHeads / nKvHeads;
  return {
    slotQ: [rows, longest, nHeads, dHead],
    slotK: [rows, longest, nKvHeads, dHead],
    folded: [rows, nKvHeads, group * longest, dHead],
    scores: [rows, nKvHeads, group, longest, longest],
    foldedScores: [rows, nKvHeads, group * longest, longest],
    headed: [rows, nHeads, longest, dHead],
  };
}

const linearOf = ({ linears }: TrainedAttentionAttrs, name: string): TrainedLinear =>
  linears[name] as TrainedLinear;

const SWAP = { perm: [0, 2, 1, 3] } as const;

/** [N, heads e] -> [S, heads, T, e]; padded slots are zero. */
function pack(
  graph: Graph,
  x: string,
  heads: 'slotQ' | 'slotK',
  form: Form,
  width: number,
): string {
  let rows = x;
  if (form.ragged) {
    const zero = graph.floats(new Array<number>(width).fill(0), [1, width]);
    const extended = graph.op('Concat', [x, zero], { axis: 0 });
    rows = graph.op('Gather', [extended, graph.input('slots', 'int32')], { axis: 0 });
  }
  const split = graph.op('Reshape', [rows, graph.input(heads, 'int64')]);
  return graph.op('Transpose', [split], SWAP);
}

/** [S, heads, T, e] -> [N, heads e]. */
function unpack(graph: Graph, x: string, form: Form, width: number): string {
  const rows = graph.op('Reshape', [graph.op('Transpose', [x], SWAP), graph.ints([-1, width])]);
  if (!form.ragged) return rows;
  return graph.op('Gather', [rows, graph.input('places', 'int32')], { axis: 0 });
}

/** The rotation of [N, heads e], or its transpose. */
function rotate(
  graph: Graph,
  x: string,
  heads: number,
  attrs: TrainedAttentionAttrs,
  backwards: boolean,
): string {
  if (!attrs.rotary) return x;
  const { dHead } = attrs;
  const cos = graph.input('cos');
  const sin = graph.input('sin');
  const pairs = graph.input('pairs');
  const split = graph.op('Reshape', [x, graph.ints([-1, heads, dHead])]);
  const straight = graph.mul(split, cos);
  // P is antisymmetric.
  const turned = backwards
    ? graph.sub(straight, graph.product(graph.mul(split, sin), pairs))
    : graph.add(straight, graph.mul(graph.product(split, pairs), sin));
  return graph.op('Reshape', [turned, graph.ints([-1, heads * dHead])]);
}

function forward(graph: Graph, attrs: TrainedAttentionAttrs, form: Form): void {
  const { nHeads, nKvHeads, dHead, scale } = attrs;
  const x = graph.input('x');
  const normed = normForward(graph, attrs.norm, x);
  const project = (name: string, input: string): string =>
    linearForward(graph, name, linearOf(attrs, name), input);
  const width = nHeads * dHead;
  const kvWidth = nKvHeads * dHead;
  const folded = graph.input('folded', 'int64');
  const q = graph.op('Reshape', [
    pack(graph, rotate(graph, project('Q', normed), nHeads, attrs, false), 'slotQ', form, width),
    folded,
  ]);
  const k = pack(
    graph,
    rotate(graph, project('K', normed), nKvHeads, attrs, false),
    'slotK',
    form,
    kvWidth,
  );
  const v = pack(graph, project('V', normed), 'slotK', form, kvWidth);
  let scores = graph.product(q, k, { transB: true, alpha: scale });
  if (form.masked) {
    const apart = graph.op('Reshape', [scores, graph.input('scores', 'int64')]);
    const mask = graph.op('Unsqueeze', [graph.input('mask'), graph.ints([1])]);
    scores = graph.op('Reshape', [graph.add(apart, mask), graph.input('foldedScores', 'int64')]);
  }
  const pattern = graph.op('Softmax', [scores], { axis: -1 });
  const packedZ = graph.product(pattern, v);
  const headed = graph.op('Reshape', [packedZ, graph.input('headed', 'int64')]);
  const z = unpack(graph, headed, form, width);
  for (const [name, value] of Object.entries({ q, k, v, pattern, packedZ, z })) {
    graph.output(name, value);
  }
  graph.output('y', graph.add(x, project('O', z)));
}

function backward(graph: Graph, attrs: TrainedAttentionAttrs, form: Form): void {
  const { nHeads, nKvHeads, dHead, scale } = attrs;
  const width = nHeads * dHead;
  const kvWidth = nKvHeads * dHead;
  const dy = graph.input('dy');
  const normed = graph.input('normed');
  const pattern = graph.input('pattern');
  const back = (name: string, x: string, own: string): string[] =>
    linearBackward(graph, name, linearOf(attrs, name), { x, dy: own });
  const dzFlat = graph.sum(back('O', graph.input('z'), dy));
  const dz = graph.op('Reshape', [
    pack(graph, dzFlat, 'slotQ', form, width),
    graph.input('folded', 'int64'),
  ]);
  const k = graph.input('k');
  const v = graph.input('v');
  // Row sums of dP * P are those of dz * z (Dao et al. 2022, section 3.1).
  const sums = graph.rowSum(graph.mul(dz, graph.input('packedZ')));
  const dPattern = graph.product(dz, v, { transB: true });
  const dScores = graph.mul(pattern, graph.sub(dPattern, sums));
  const dv = graph.product(pattern, dz, { transA: true });
  const dk = graph.product(dScores, graph.input('q'), { transA: true, alpha: scale });
  const dq = graph.op('Reshape', [
    graph.product(dScores, k, { alpha: scale }),
    graph.input('headed', 'int64'),
  ]);
  const flatQ = rotate(graph, unpack(graph, dq, form, width), nHeads, attrs, true);
  const flatK = rotate(graph, unpack(graph, dk, form, kvWidth), nKvHeads, attrs, true);
  const flatV = unpack(graph, dv, form, kvWidth);
  const dNormed = graph.sum([
    ...back('Q', normed, flatQ),
    ...back('K', normed, flatK),
    ...back('V', normed, flatV),
  ]);
  graph.output('dx', graph.add(dy, normBackward(graph, attrs.norm, dNormed)));
}
