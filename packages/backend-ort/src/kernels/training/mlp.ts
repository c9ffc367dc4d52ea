// The MLP half of a block with what its gradient needs, and that gradient: one native call each.
import {
  TRAINING_SAVES,
  type TrainedLinear,
  type TrainedMlpAttrs,
  trainedNames,
} from '@safeinfer/backend';
import type { Graph } from '../../onnx/graph.ts';
import type { Kernel, KernelCall } from '../kernel.ts';
import { activationForward, activationSlope } from './activation-graph.ts';
import { linearBackward, linearForward } from './linear-graph.ts';
import { normBackward, normForward } from './norm-graph.ts';
import { runGraph } from './run-graph.ts';

export const trainMlp: Kernel = (call) => {
  const attrs = call.attrs as unknown as TrainedMlpAttrs;
  const shapes = shapesOf(call, attrs);
  return runGraph({
    call,
    signature: `trainMlp/${JSON.stringify(attrs)}`,
    build: (graph) => forward(graph, attrs),
    reads: Object.keys(call.inputs),
    gives: ['y', ...TRAINING_SAVES.mlp(attrs)].map((name) => [name, shapes[name] ?? []]),
    work: workOf(call),
  });
};

export const trainMlpGradient: Kernel = (call) => {
  const attrs = call.attrs as unknown as TrainedMlpAttrs;
  return runGraph({
    call,
    signature: `trainMlpGradient/${JSON.stringify(attrs)}`,
    build: (graph) => backward(graph, attrs),
    // Biases shape no gradient.
    reads: Object.keys(call.inputs).filter((name) => !/^(b|normBias)/.test(name)),
    gives: ['x', ...trainedNames(attrs)].map((name) => [`d${name}`, call.inputs[name]!.shape]),
    work: 2 * workOf(call),
  });
};

function workOf({ inputs }: KernelCall): number {
  const [tokens = 0, width = 0] = inputs['x']!.shape;
  return 3 * tokens * width * inputs['win']!.shape[1]!;
}

function shapesOf({ inputs }: KernelCall, attrs: TrainedMlpAttrs): Record<string, number[]> {
  const x = inputs['x']!.shape;
  const inner = [x[0]!, inputs['win']!.shape[1]!];
  const column = [x[0]!, 1];
  return {
    y: x,
    normed: x,
    inverse: column,
    mean: column,
    pre: inner,
    post: inner,
    ...('gate' in attrs.linears ? { up: inner } : {}),
  };
}

const linearOf = ({ linears }: TrainedMlpAttrs, name: string): TrainedLinear =>
  linears[name] as TrainedLinear;

function forward(graph: Graph, attrs: TrainedMlpAttrs): void {
  const x = graph.input('x');
  const normed = normForward(graph, attrs.norm, x);
  const project = (name: string, input: string): string =>
    linearForward(graph, name, linearOf(attrs, name), input);
  const gated = 'gate' in attrs.linears;
  const pre = project(gated ? 'gate' : 'in', normed);
  let post = activationForward(graph, attrs.activation, pre);
  if (gated) {
    const up = project('in', normed);
    graph.output('up', up);
    post = graph.mul(post, up);
  }
  graph.output('pre', pre);
  graph.output('post', post);
  graph.output('y', graph.add(x, project('out', post)));
}

function backward(graph: Graph, attrs: TrainedMlpAttrs): void {
  const dy = graph.input('dy');
  const normed = graph.input('normed');
  const pre = graph.input('pre');
  const back = (name: string, x: string, own: string): string[] =>
    linearBackward(graph, name, linearOf(attrs, name), { x, dy: own });
  const dPost = graph.sum(back('out', graph.input('post'), dy));
  const { slope, value } = activationSlope(graph, attrs.activation, pre);
  const parts: string[] = [];
  if ('gate' in attrs.linears) {
    const activated = value ?? activationForward(graph, attrs.activation, pre);
    const dUp = graph.mul(dPost, activated);
    const dPre = graph.mul(graph.mul(dPost, graph.input('up')), slope);
    parts.push(...back('gate', normed, dPre), ...back('in', normed, dUp));
  } else {
    parts.push(...back('in', normed, graph.mul(dPost, slope)));
  }
  graph.output('dx', graph.add(dy, normBackward(graph, attrs.norm, graph.sum(parts))));
}
