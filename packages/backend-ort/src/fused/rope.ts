// Rotary embedding: each pair of dimensions turned by its token's angle, without a product by P.
// Products are rounded to fp32 before they are added, as they are in the graph of a whole block.
import { type RotaryPairs, rotaryPairs } from '@safeinfer/backend';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel } from '../kernels/kernel.ts';
import type { OrtBackend } from '../ort-backend.ts';

const { fround } = Math;

export interface Pairing extends RotaryPairs {
  /** Half the width, when dimension i is paired with i + half throughout: the common layout. */
  readonly half: number | undefined;
}

const pairings = new WeakMap<object, Pairing>();
/** Equal ones are one object: every pass brings its own matrix. */
const known = new Map<string, Pairing>();

export const rope: Kernel = ({ inputs, backend }) => {
  const x = inputs['x']!;
  const [tokens, heads, width] = x.shape as [number, number, number];
  const pairing = pairingFor(backend, inputs['pairs']!, width);
  const turn = {
    input: backend.floats(x),
    cos: backend.floats(inputs['cos']!),
    sin: backend.floats(inputs['sin']!),
    tokens,
    heads,
    width,
  };
  const out = backend.output(x.shape);
  if (pairing.half === undefined) turnAny(turn, pairing, out.values);
  else turnHalves(turn, pairing.half, out.values);
  return out.info;
};

/** What the matrix `pairs` P [e, e] says, read once. */
export function pairingFor(backend: OrtBackend, pairs: TensorInfo, width: number): Pairing {
  let pairing = pairings.get(pairs.dataId);
  if (pairing === undefined) {
    const read = pairingOf(backend.floats(pairs), width);
    const text = `${read.partner.join()};${read.sign.join()}`;
    pairing = known.get(text) ?? read;
    known.set(text, pairing);
    pairings.set(pairs.dataId, pairing);
  }
  return pairing;
}

interface Turn {
  readonly input: Float32Array;
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  readonly tokens: number;
  readonly heads: number;
  readonly width: number;
}

function turnAny(turn: Turn, { partner, sign }: Pairing, out: Float32Array): void {
  const { input, cos, sin, tokens, heads, width } = turn;
  for (let token = 0; token < tokens; token++) {
    const angle = token * width;
    for (let head = 0; head < heads; head++) {
      const at = (token * heads + head) * width;
      for (let i = 0; i < width; i++) {
        const turned = sign[i]! * input[at + partner[i]!]!;
        out[at + i] = fround(input[at + i]! * cos[angle + i]!) + fround(turned * sin[angle + i]!);
      }
    }
  }
}

/** The same for pairs (i, i + half): no look-ups, half the loop. */
function turnHalves(turn: Turn, half: number, out: Float32Array): void {
  const { input, cos, sin, tokens, heads, width } = turn;
  for (let token = 0; token < tokens; token++) {
    const angle = token * width;
    for (let head = 0; head < heads; head++) {
      const at = (token * heads + head) * width;
      for (let i = 0; i < half; i++) {
        const a = input[at + i]!;
        const b = input[at + half + i]!;
        out[at + i] = fround(a * cos[angle + i]!) - fround(b * sin[angle + i]!);
        out[at + half + i] =
          fround(b * cos[angle + half + i]!) + fround(a * sin[angle + half + i]!);
      }
    }
  }
}

function pairingOf(matrix: Float32Array, width: number): Pairing {
  const { partner, sign } = rotaryPairs(matrix, width);
  const half = width / 2;
  const halves = partner.every((from, to) =>
    to < half ? from === to + half && sign[to] === -1 : from === to - half && sign[to] === 1,
  );
  return { partner, sign, half: halves ? half : undefined };
}
