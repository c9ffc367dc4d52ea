// Activations and their derivatives, as graphs.
import type { FusedActivation } from '@safeinfer/backend';
import type { Graph } from '../../onnx/graph.ts';

/** Hendrycks and Gimpel 2016: the slope of the sigmoid form, and root and cubic term of the tanh form. */
const QUICK_SLOPE = 1.702;
const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715;

export function activationForward(graph: Graph, activation: FusedActivation, x: string): string {
  switch (activation) {
    case 'silu':
      return graph.op('QuickGelu', [x], { alpha: { float: 1 } }, true);
    case 'quick_gelu':
      return graph.op('QuickGelu', [x], { alpha: { float: QUICK_SLOPE } }, true);
    case 'gelu':
      return graph.op('Gelu', [x], { approximate: 'none' });
    case 'gelu_tanh':
      return graph.op('Gelu', [x], { approximate: 'tanh' });
    case 'relu':
      return graph.op('Relu', [x]);
  }
}

/** The derivative at x, and act(x) where it falls out on the way. */
export function activationSlope(
  graph: Graph,
  activation: FusedActivation,
  x: string,
): { readonly slope: string; readonly value?: string } {
  const one = graph.floats([1]);
  switch (activation) {
    case 'silu':
    case 'quick_gelu': {
      // d x s(ax) = s + a x s (1 - s)
      const a = activation === 'silu' ? 1 : QUICK_SLOPE;
      const s = graph.op('Sigmoid', [a === 1 ? x : graph.mul(x, graph.floats([a]))]);
      const value = graph.mul(x, s);
      const bend = graph.mul(value, graph.sub(one, s));
      return { slope: graph.add(s, a === 1 ? bend : graph.mul(bend, graph.floats([a]))), value };
    }
    case 'gelu': {
      // Phi(x) + x phi(x)
      const erf = graph.op('Erf', [graph.mul(x, graph.floats([Math.SQRT1_2]))]);
      const phi = graph.mul(graph.add(erf, one), graph.floats([0.5]));
      const density = graph.mul(
        graph.op('Exp', [graph.mul(graph.mul(x, x), graph.floats([-0.5]))]),
        graph.floats([1 / Math.sqrt(2 * Math.PI)]),
      );
      return { slope: graph.add(phi, graph.mul(x, density)), value: graph.mul(x, phi) };
    }
    case 'gelu_tanh': {
      const square = graph.mul(x, x);
      const cubic = graph.mul(square, graph.floats([TANH_CUBIC]));
      const inner = graph.mul(graph.mul(x, graph.add(cubic, one)), graph.floats([TANH_SCALE]));
      const t = graph.op('Tanh', [inner]);
      const half = graph.mul(graph.add(t, one), graph.floats([0.5]));
      const dInner = graph.mul(
        graph.add(graph.mul(square, graph.floats([3 * TANH_CUBIC])), one),
        graph.floats([TANH_SCALE]),
      );
      const bend = graph.mul(
        graph.sub(one, graph.mul(t, t)),
        graph.mul(dInner, graph.mul(x, graph.floats([0.5]))),
      );
      return { slope: graph.add(half, bend), value: graph.mul(x, half) };
    }
    case 'relu':
      return { slope: graph.op('Cast', [graph.op('Greater', [x, graph.floats([0])])], { to: 1 }) };
  }
}
