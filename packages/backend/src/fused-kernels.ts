// Private kernels that some backends have for the operations that decide a transformer's speed.
import * as tf from '@tensorflow/tfjs-core';

/** Pointwise functions of an MLP, by the names of Hugging Face configurations. */
export type FusedActivation = 'gelu' | 'gelu_tanh' | 'quick_gelu' | 'silu' | 'relu';

interface NormInputs {
  readonly x: tf.Tensor;
  readonly gain: tf.Tensor;
  readonly bias?: tf.Tensor;
}

interface NormAttrs {
  readonly kind: 'rms' | 'layer';
  readonly eps: number;
  /** Added to the gain (1 for Gemma). */
  readonly gainOffset: number;
}

interface MlpInputs {
  readonly wGate?: tf.Tensor;
  readonly wIn: tf.Tensor;
  readonly wOut: tf.Tensor;
  readonly bGate?: tf.Tensor;
  readonly bIn?: tf.Tensor;
  readonly bOut?: tf.Tensor;
}

/** A low-rank change of a product: + scale * (x A) B, for `A` [in, r] and `B` [r, out]. */
export interface FusedDelta {
  readonly A: tf.Tensor2D;
  readonly B: tf.Tensor2D;
  /** A number for every row of x, or [N, 1]: rows with 0 stay as they are, to the last bit. */
  readonly scale: number | tf.Tensor2D;
}

/** Changes of the products of a kernel, by the name of the weight among its inputs (`wQ`). */
export type FusedDeltas = Readonly<Record<string, readonly FusedDelta[]>>;

/** Inputs (tensors by name) and attributes of each private kernel; one tensor out, but of SafeInferHeads and SafeInferBlock. */
export interface FusedKernels {
  /** Norm over the last axis D of `x` [..., D]; `gain` and `bias` [D]; same shape out. */
  readonly SafeInferNorm: { readonly inputs: NormInputs; readonly attrs: NormAttrs };
  /**
   * x cos + (x P) sin for `x` [N, heads, e], `cos` and `sin` [N, 1, e], and the signed permutation
   * `pairs` P [e, e].
   */
  readonly SafeInferRope: {
    readonly inputs: {
      readonly x: tf.Tensor;
      readonly cos: tf.Tensor;
      readonly sin: tf.Tensor;
      readonly pairs: tf.Tensor;
    };
    readonly attrs: Readonly<Record<string, never>>;
  };
  /** activation(x), elementwise. */
  readonly SafeInferActivation: {
    readonly inputs: { readonly x: tf.Tensor };
    readonly attrs: { readonly activation: FusedActivation };
  };
  /** activation(gate) * up, elementwise, both of one shape. */
  readonly SafeInferGate: {
    readonly inputs: { readonly gate: tf.Tensor; readonly up: tf.Tensor };
    readonly attrs: { readonly activation: FusedActivation };
  };
  /**
   * softmax(cap(q k) + mask) v over the keys of all blocks: `q` [S, h, T, e] already scaled; blocks
   * `k0`, `v0`, `k1`, `v1`, ... [S, kv, n, e] (one row a stream: no shared prefixes), query heads grouped
   * consecutively on key heads; `mask` [S or 1, 1, T, K] added, K the keys of all blocks. Returns [S, h, T, e].
   */
  readonly SafeInferAttention: {
    readonly inputs: { readonly q: tf.Tensor } & Readonly<Record<string, tf.Tensor>>;
    /** `blocks` is the number of key blocks; `softcap` 0 for none. */
    readonly attrs: { readonly blocks: number; readonly softcap: number };
  };
  /** y + scale * (x A) B: `x` [N, in], `y` [N, out] and the tensors of a `FusedDelta` for weight `w`. */
  readonly SafeInferAddLowRank: {
    readonly inputs: { readonly x: tf.Tensor; readonly y: tf.Tensor };
    readonly attrs: Readonly<Record<string, never>>;
  };
  /** x + y W (+ bias): `x` [N, D], `y` [N, inner], `w` [inner, D], `bias` [D]. */
  readonly SafeInferAddProduct: {
    readonly inputs: {
      readonly x: tf.Tensor;
      readonly y: tf.Tensor;
      readonly w: tf.Tensor;
      readonly bias?: tf.Tensor;
    };
    readonly attrs: Readonly<Record<string, never>>;
  };
  /**
   * A whole MLP with its norm and residual: x + (act(n W_gate) * (n W_in)) W_out for `gated`, else
   * x + act(n W_in) W_out, where n is the norm of `x` [N, D]; each product with its bias if given.
   */
  readonly SafeInferMlp: {
    readonly inputs: NormInputs & MlpInputs;
    readonly attrs: NormAttrs & { readonly activation: FusedActivation };
  };
  /**
   * Queries, keys and values of `x` [N, D] from its norm: three tensors, q [N, h, e] rotated and scaled,
   * k [N, kv, e] rotated, v [N, kv, e]. Rotation is left out when `cos`, `sin` and `pairs` are not given.
   */
  readonly SafeInferHeads: {
    readonly inputs: NormInputs & {
      readonly wQ: tf.Tensor;
      readonly wK: tf.Tensor;
      readonly wV: tf.Tensor;
      readonly bQ?: tf.Tensor;
      readonly bK?: tf.Tensor;
      readonly bV?: tf.Tensor;
      readonly cos?: tf.Tensor;
      readonly sin?: tf.Tensor;
      readonly pairs?: tf.Tensor;
    };
    readonly attrs: NormAttrs & {
      readonly nHeads: number;
      readonly nKvHeads: number;
      /** Factor of the queries. */
      readonly scale: number;
    };
  };
  /**
   * A whole sequential block: with n the norm of x [N, D], m = x + attention(n) W_O and y = m + mlp(norm of m). The
   * first norm is `gain` and `bias`, the second `gain2` and `bias2`; the rest as in SafeInferHeads (projections,
   * rotation), SafeInferAttention (cached blocks `k0`, `v0`, ... before the new keys, mask over all of them) and
   * SafeInferMlp. Tokens are `streams` runs of equal length T = N / streams, one after another.
   */
  readonly SafeInferBlock: {
    readonly inputs: FusedKernels['SafeInferHeads']['inputs'] &
      MlpInputs & {
        readonly gain2: tf.Tensor;
        readonly bias2?: tf.Tensor;
        readonly wO: tf.Tensor;
        readonly bO?: tf.Tensor;
        readonly mask?: tf.Tensor;
      } & Readonly<Record<string, tf.Tensor>>;
    readonly attrs: FusedKernels['SafeInferHeads']['attrs'] & {
      readonly activation: FusedActivation;
      /** 0 for none. */
      readonly softcap: number;
      /** 0 for weights that are only to be packed: see `prepareFusedBlock`. */
      readonly streams: number;
      /** Blocks of cached keys. */
      readonly past: number;
      /** Whether the residual stream after attention is wanted. */
      readonly mid: boolean;
      /** Whether the new keys and values are wanted. */
      readonly keys: boolean;
    };
  };
}

export type FusedKernelName = keyof FusedKernels;

/** Kernels that give several tensors have functions of their own. */
type Several = 'SafeInferHeads' | 'SafeInferBlock';

/** True when the active backend has the kernel and no gradient is being recorded (they have none). */
export function hasFusedKernel(name: FusedKernelName): boolean {
  if (tf.engine().state.gradientDepth > 0 && tf.engine().state.kernelDepth === 0) return false;
  return tf.getKernel(name, tf.getBackend()) !== undefined;
}

/** `runFused` for SafeInferHeads: [q, k, v]. */
export function runFusedHeads(
  inputs: FusedKernels['SafeInferHeads']['inputs'],
  attrs: FusedKernels['SafeInferHeads']['attrs'],
  deltas?: FusedDeltas,
): [tf.Tensor, tf.Tensor, tf.Tensor] | undefined {
  if (!hasFusedKernel('SafeInferHeads')) return undefined;
  return run('SafeInferHeads', { inputs, attrs, deltas }) as [tf.Tensor, tf.Tensor, tf.Tensor];
}

/** What SafeInferBlock gives: y [N, D]; m [N, D], new keys and values [S, kv, T, e] where they were asked for. */
export interface FusedBlock {
  readonly y: tf.Tensor2D;
  readonly mid: tf.Tensor2D | undefined;
  readonly k: tf.Tensor4D | undefined;
  readonly v: tf.Tensor4D | undefined;
}

/** A whole block in one kernel; undefined where the backend has none or declines: it is computed by halves then. */
export function runFusedBlock(
  inputs: FusedKernels['SafeInferBlock']['inputs'],
  attrs: FusedKernels['SafeInferBlock']['attrs'],
  deltas?: FusedDeltas,
): FusedBlock | undefined {
  if (!hasFusedKernel('SafeInferBlock')) return undefined;
  const made = run('SafeInferBlock', { inputs, attrs, deltas }) as tf.Tensor[];
  if (made.length === 0) return undefined;
  const [y, ...rest] = made;
  const mid = attrs.mid ? rest.shift() : undefined;
  const [k, v] = rest;
  return { y, mid, k, v } as FusedBlock;
}

/**
 * Lets the backend lay out the block's weights as `runFusedBlock` would, for a call that computes the block by halves:
 * where a layout decides how products round, they round alike from the first call on.
 */
export function prepareFusedBlock(
  inputs: FusedKernels['SafeInferBlock']['inputs'],
  attrs: Omit<FusedKernels['SafeInferBlock']['attrs'], 'streams' | 'past' | 'mid' | 'keys'>,
): void {
  if (!hasFusedKernel('SafeInferBlock')) return;
  run('SafeInferBlock', {
    inputs,
    attrs: { ...attrs, streams: 0, past: 0, mid: false, keys: false },
  });
}

/**
 * Runs a private kernel, or returns undefined where it must be composed of tfjs operations instead:
 * `runFused('SafeInferNorm', { x, gain }, attrs) ?? composed(x, gain)`. The result is the caller's, as of
 * any operation. `deltas` change the products of kernels that have some.
 */
export function runFused<N extends Exclude<FusedKernelName, Several>>(
  name: N,
  inputs: FusedKernels[N]['inputs'],
  attrs: FusedKernels[N]['attrs'],
  deltas?: FusedDeltas,
): tf.Tensor | undefined {
  if (!hasFusedKernel(name)) return undefined;
  return run(name, { inputs, attrs, deltas }) as tf.Tensor;
}

/** What a kernel finds in its attribute `deltas`: by weight, the scale of each delta or null for a column. */
export type FusedDeltaScales = Readonly<Record<string, readonly (number | null)[]>>;

/** Inputs of a kernel are tensors by name, so the i-th delta of `w` goes in as `w.A{i}`, `w.B{i}`, `w.scale{i}`. */
function run(
  name: FusedKernelName,
  call: {
    readonly inputs: object;
    readonly attrs: object;
    readonly deltas?: FusedDeltas | undefined;
  },
): unknown {
  const { inputs, attrs, deltas } = call;
  const engine = tf.engine();
  if (deltas === undefined) {
    return engine.runKernel(name, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap);
  }
  const named: tf.NamedTensorMap = { ...inputs };
  const scales: Record<string, (number | null)[]> = {};
  for (const [weight, list] of Object.entries(deltas)) {
    scales[weight] = list.map(({ A, B, scale }, i) => {
      named[`${weight}.A${i}`] = A;
      named[`${weight}.B${i}`] = B;
      if (typeof scale === 'number') return scale;
      named[`${weight}.scale${i}`] = scale;
      return null;
    });
  }
  return engine.runKernel(name, named, { ...attrs, deltas: scales } as unknown as tf.NamedAttrMap);
}
