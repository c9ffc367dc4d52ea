// Low-rank changes of products, for the rows that have them: LoRA beside a packed weight.
import type { FusedDeltaScales } from '@safeinfer/backend';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel, KernelCall } from '../kernels/kernel.ts';
import { type OrtValue, ortValue, runSession } from '../native/binding.ts';

/** One change: target += scale * (x A) B. */
interface Change {
  readonly A: TensorInfo;
  readonly B: TensorInfo;
  readonly target: Float32Array;
}

/** Changes of the same rows by the same factors: one call. */
interface Group {
  readonly scale: number | Float32Array;
  readonly changes: Change[];
}

/** Adds the deltas that the call has for `targets`, products of `x` [N, in] by the names of their weights. */
export function addDeltas(
  call: KernelCall,
  x: TensorInfo,
  targets: Readonly<Record<string, TensorInfo>>,
): void {
  const { backend } = call;
  const groups = groupsOf(call, Object.keys(targets), (weight) => backend.floats(targets[weight]!));
  for (const group of groups) addGroup(call, x, group);
}

/**
 * The deltas themselves: for each weight what a product of `x` [N, in] gains, [N, its columns]. Undefined where a row
 * gets several: added one by one to a product they round differently.
 */
export function deltasAlone(
  call: KernelCall,
  x: TensorInfo,
  weights: readonly string[],
): Record<string, Float32Array> | undefined {
  const { inputs } = call;
  const tokens = x.shape[0]!;
  const sums = Object.fromEntries(
    weights.map((weight) => [weight, new Float32Array(tokens * inputs[weight]!.shape[1]!)]),
  );
  const groups = groupsOf(call, weights, (weight) => sums[weight]!);
  const taken = new Map<Float32Array, Uint8Array>(
    Object.values(sums).map((sum) => [sum, new Uint8Array(tokens)]),
  );
  for (const { scale, changes } of groups) {
    for (const { target } of changes) {
      const rows = taken.get(target)!;
      for (let row = 0; row < tokens; row++) {
        if ((typeof scale === 'number' ? scale : scale[row]!) === 0) continue;
        if (rows[row]!++ > 0) return undefined;
      }
    }
  }
  for (const group of groups) addGroup(call, x, group);
  return sums;
}

function groupsOf(
  { inputs, attrs, backend }: KernelCall,
  weights: readonly string[],
  target: (weight: string) => Float32Array,
): Group[] {
  const scales = attrs['deltas'] as FusedDeltaScales | undefined;
  const groups = new Map<object | number, Group>();
  for (const weight of weights) {
    scales?.[weight]?.forEach((scale, i) => {
      const column = inputs[`${weight}.scale${i}`];
      const key = scale ?? column!.dataId;
      let group = groups.get(key);
      if (group === undefined) {
        group = { scale: scale ?? backend.floats(column!), changes: [] };
        groups.set(key, group);
      }
      const [A, B] = [inputs[`${weight}.A${i}`]!, inputs[`${weight}.B${i}`]!];
      group.changes.push({ A, B, target: target(weight) });
    });
  }
  return [...groups.values()];
}

function addGroup({ backend }: KernelCall, x: TensorInfo, { scale, changes }: Group): void {
  const [tokens, width] = x.shape as [number, number];
  const all = backend.floats(x);
  const factor = (row: number): number => (typeof scale === 'number' ? scale : scale[row]!);
  const rows: number[] = [];
  for (let row = 0; row < tokens; row++) if (factor(row) !== 0) rows.push(row);
  if (rows.length === 0) return;
  let values = all;
  if (rows.length < tokens) {
    values = new Float32Array(rows.length * width);
    rows.forEach((row, i) => {
      values.set(all.subarray(row * width, (row + 1) * width), i * width);
    });
  }
  const feeds: Record<string, OrtValue> = {
    x: ortValue('float32', values, [rows.length, width]),
    scale: ortValue('float32', Float32Array.from(rows, factor), [rows.length, 1]),
  };
  const fetches: Record<string, OrtValue> = {};
  let work = 0;
  const added = changes.map(({ A, B }, i) => {
    const out = new Float32Array(rows.length * B.shape[1]!);
    feeds[`A${i}`] = ortValue('float32', backend.floats(A), A.shape);
    feeds[`B${i}`] = ortValue('float32', backend.floats(B), B.shape);
    fetches[`y${i}`] = ortValue('float32', out, [rows.length, B.shape[1]!]);
    work += rows.length * A.shape[1]! * (width + B.shape[1]!);
    return out;
  });
  runSession(
    backend.sessions.get(`lowRank/${changes.length}`, work, () => graph(changes.length)),
    feeds,
    fetches,
  );
  changes.forEach(({ target }, i) => {
    const own = added[i]!;
    const columns = own.length / rows.length;
    rows.forEach((row, at) => {
      const [to, from] = [row * columns, at * columns];
      for (let j = 0; j < columns; j++) target[to + j]! += own[from + j]!;
    });
  });
}

function graph(count: number) {
  const each = <T>(make: (i: number) => T[]): T[] =>
    Array.from({ length: count }, (_, i) => make(i)).flat();
  return {
    nodes: each((i) => [
      { op: 'MatMul', inputs: ['x', `A${i}`], outputs: [`t${i}`] },
      { op: 'Mul', inputs: [`t${i}`, 'scale'], outputs: [`s${i}`] },
      { op: 'MatMul', inputs: [`s${i}`, `B${i}`], outputs: [`y${i}`] },
    ]),
    inputs: ['x', 'scale', ...each((i) => [`A${i}`, `B${i}`])].map((name) => ({
      name,
      type: 'float32' as const,
    })),
    outputs: each((i) => [{ name: `y${i}`, type: 'float32' as const }]),
  };
}

export const addLowRank: Kernel = (call) => {
  const { inputs, backend } = call;
  const { x, y } = inputs;
  const out = backend.output(y!.shape);
  out.values.set(backend.floats(y!));
  addDeltas(call, x!, { w: out.info });
  return out.info;
};
