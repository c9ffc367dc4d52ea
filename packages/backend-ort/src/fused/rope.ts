// Rotary embedding: each pair of dimensions turned by its token's angle, without a product by P.
import type { Kernel } from '../kernels/kernel.ts';

/** For each output dimension, the input dimension P takes and its sign; 0 where P takes none. */
interface Pairing {
  readonly partner: Int32Array;
  readonly sign: Float32Array;
}

const pairings = new WeakMap<object, Pairing>();

export const rope: Kernel = ({ inputs, backend }) => {
  const x = inputs['x']!;
  const pairs = inputs['pairs']!;
  const [tokens, heads, width] = x.shape as [number, number, number];
  let pairing = pairings.get(pairs.dataId);
  if (pairing === undefined) {
    pairing = pairingOf(backend.floats(pairs), width);
    pairings.set(pairs.dataId, pairing);
  }
  const { partner, sign } = pairing;
  const input = backend.floats(x);
  const cos = backend.floats(inputs['cos']!);
  const sin = backend.floats(inputs['sin']!);
  const out = backend.output(x.shape);
  const values = out.values;
  for (let token = 0; token < tokens; token++) {
    const angle = token * width;
    for (let head = 0; head < heads; head++) {
      const at = (token * heads + head) * width;
      for (let i = 0; i < width; i++) {
        const turned = sign[i]! * input[at + partner[i]!]!;
        values[at + i] = input[at + i]! * cos[angle + i]! + turned * sin[angle + i]!;
      }
    }
  }
  return out.info;
};

function pairingOf(matrix: Float32Array, width: number): Pairing {
  const partner = new Int32Array(width);
  const sign = new Float32Array(width);
  for (let from = 0; from < width; from++) {
    for (let to = 0; to < width; to++) {
      const value = matrix[from * width + to]!;
      if (value === 0) continue;
      partner[to] = from;
      sign[to] = value;
    }
  }
  return { partner, sign };
}
