// What decides the graph of a whole block: the shape of the model, not the sizes of a call.
import type { FusedActivation, FusedKernels } from '@safeinfer/backend';
import { CROSSOVER } from '../../crossover.ts';
import type { KernelCall } from '../../kernels/kernel.ts';
import { type Pairing, pairingFor } from '../rope.ts';

/** Blocks of cached keys that a call may bring; ones that are not there are fed empty. */
export const PAST_SLOTS = 8;

export interface BlockPlan {
  readonly norm: 'rms' | 'layer';
  readonly eps: number;
  readonly gainOffset: number;
  readonly activation: FusedActivation;
  readonly gated: boolean;
  readonly width: number;
  /** Width of the MLP. */
  readonly inner: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly dHead: number;
  /** Factor of the queries, an fp32 number. */
  readonly scale: number;
  /** 0 for none. */
  readonly softcap: number;
  readonly rotary: Pairing | undefined;
  /** Which of the optional vectors there are: norm biases, b_Q b_K b_V, b_O, MLP biases. */
  readonly biases: {
    readonly norm: boolean;
    readonly heads: boolean;
    readonly output: boolean;
    readonly up: boolean;
    readonly down: boolean;
  };
}

/** The plan of a call of SafeInferBlock; undefined for a mixture that no graph is made for. */
export function planOf({ inputs, attrs, backend }: KernelCall): BlockPlan | undefined {
  const given = attrs as unknown as FusedKernels['SafeInferBlock']['attrs'];
  const { wQ, wGate, wIn, pairs } = inputs;
  const width = wQ!.shape[0]!;
  const inner = wIn!.shape[1]!;
  // Narrower rows are loops in JavaScript elsewhere, which round differently.
  if (width < CROSSOVER.norm || inner < CROSSOVER.activation) return undefined;
  const norm = allOrNone(inputs, ['bias', 'bias2']);
  const heads = allOrNone(inputs, ['bQ', 'bK', 'bV']);
  const up = allOrNone(inputs, wGate === undefined ? ['bIn'] : ['bGate', 'bIn']);
  if (norm === undefined || heads === undefined || up === undefined) return undefined;
  const { nHeads, nKvHeads, kind, eps, gainOffset, activation, softcap } = given;
  const dHead = wQ!.shape[1]! / nHeads;
  return {
    norm: kind,
    eps,
    gainOffset,
    activation,
    gated: wGate !== undefined,
    width,
    inner,
    nHeads,
    nKvHeads,
    dHead,
    scale: Math.fround(given.scale),
    softcap,
    rotary: pairs === undefined ? undefined : pairingFor(backend, pairs, dHead),
    biases: {
      norm,
      heads,
      output: inputs['bO'] !== undefined,
      up,
      down: inputs['bOut'] !== undefined,
    },
  };
}

/** True for plans of equal graphs. A loop, not a text of each: it runs for every block of every step. */
export function samePlan(a: BlockPlan, b: BlockPlan): boolean {
  return alike(a, b, 'biases') && alike(a.biases, b.biases);
}

function alike<T extends object>(a: T, b: T, except?: keyof T): boolean {
  for (const key in a) if (key !== except && a[key] !== b[key]) return false;
  return true;
}

function allOrNone(inputs: KernelCall['inputs'], names: readonly string[]): boolean | undefined {
  const there = names.filter((name) => inputs[name] !== undefined).length;
  return there === 0 ? false : there === names.length ? true : undefined;
}
