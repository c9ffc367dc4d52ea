// What steering does to activations, as data: serialisable, hashable, one entry an edited point.
import type { BlockPoint, During, HookName } from '@safeinfer/transformer';
import type { ConditionRule } from './condition.ts';

/** Points whose units can be steered: vectors of dModel numbers, or of dHead for `attn.hook_z`. */
export type SteeringPoint =
  | Extract<
      BlockPoint,
      | 'hook_resid_pre'
      | 'hook_resid_mid'
      | 'hook_resid_post'
      | 'hook_attn_out'
      | 'hook_mlp_out'
      | 'attn.hook_z'
    >
  | 'hook_embed';

/**
 * Tokens of a row that are edited. 'all': every token. 'last': the last token of every pass (last prompt token,
 * then each new token). A window counts from the row's prompt end: `{ from: -1 }` is the last prompt token and all
 * that follows, `{ from: 0, to: 4 }` the first four generated tokens; it needs the row's `promptLength` and means
 * the same in cached, chunked and whole passes. A list holds positions in the row's own pad-free coordinates.
 */
export type SteeringPositions =
  | 'all'
  | 'last'
  | { readonly from: number; readonly to?: number }
  | readonly number[];

/**
 * Factor on the strength along the generation, by the token's position and never by a step counter: prompt tokens
 * count as generated token 0. `linear` and `exponential` go from 1 to `to` over `over` tokens and stay there.
 */
export type Schedule =
  | { readonly kind: 'constant' }
  | { readonly kind: 'linear'; readonly to: number; readonly over: number }
  | { readonly kind: 'exponential'; readonly to: number; readonly over: number }
  /** 1 from generated token `from` up to, not including, `to`; 0 elsewhere. */
  | { readonly kind: 'window'; readonly from: number; readonly to: number };

interface OperationBase {
  readonly layer: number;
  /** Default 'hook_resid_post'. */
  readonly point?: SteeringPoint;
  /** For `attn.hook_z`: the head whose output is edited. */
  readonly head?: number;
  /** 0 is no edit, bit for bit; what other values mean is said at each operation. Default 1. */
  readonly strength?: number;
  /** Default 'all'. */
  readonly positions?: SteeringPositions;
  /** Default 'both'. */
  readonly during?: During;
  /** One condition, or several joined by `all` (and) or `any` (or). */
  readonly condition?: ConditionRule;
  readonly schedule?: Schedule;
  readonly label?: string;
}

/** h + strength x vector. `norm`: 'preserve' rescales to the old length, 'cap' only when it grew. */
export interface AddOperation extends OperationBase {
  readonly op: 'add';
  readonly vector: Float32Array;
  readonly norm?: 'free' | 'preserve' | 'cap';
}

/** h - strength x (h.u)u with u = vector / |vector| (Arditi et al. 2024, directional ablation). */
export interface AblateOperation extends OperationBase {
  readonly op: 'ablate';
  readonly vector: Float32Array;
}

/** h + strength x (value - h.u)u: the component along u becomes `value` (idempotent at strength 1). */
export interface ProjectOperation extends OperationBase {
  readonly op: 'project';
  readonly vector: Float32Array;
  readonly value: number;
}

/**
 * h + strength x (ACE(h) - h), ACE(h) = h - proj_r(h) + proj_r(reference) + alpha r, r = vector
 * (Marshall et al. 2024, affine concept editing). alpha 0 sets the reference's component, 1 the full concept.
 */
export interface AffineOperation extends OperationBase {
  readonly op: 'affine';
  readonly vector: Float32Array;
  readonly reference: Float32Array;
  readonly alpha: number;
}

/**
 * Turns h inside the plane of `vector` and `second` and keeps its length exactly (angular steering, Vu & Nguyen
 * 2025). 'offset' turns by strength x degrees; 'target' turns the part in the plane by the fraction `strength` of
 * the way to `degrees`. `adaptive` edits only tokens with h.b1 > 0.
 */
export interface RotateOperation extends OperationBase {
  readonly op: 'rotate';
  readonly vector: Float32Array;
  readonly second: Float32Array;
  readonly degrees: number;
  readonly mode: 'offset' | 'target';
  readonly adaptive?: boolean;
}

/** |h| slerp(h / |h|, vector / |vector|, strength): along the great circle, length kept. strength in [0, 1]. */
export interface SlerpOperation extends OperationBase {
  readonly op: 'slerp';
  readonly vector: Float32Array;
}

/** (1 - strength) h + strength x beta x C h; C symmetric, row-major [d, d] (Postmus & Abreu 2024). */
export interface ConceptorOperation extends OperationBase {
  readonly op: 'conceptor';
  readonly matrix: Float32Array;
  readonly beta: number;
}

/**
 * h + strength x (h'.gate + bias) vector, h' the last token of the pass ('last', AlphaSteer's form) or the token
 * itself ('each'). AlphaSteer's d x d matrix is exactly this rank-one gate (fact sheet 1.11), and so is LEACE's
 * eraser of a two-class label (`leace`). Default bias 0.
 */
export interface GateOperation extends OperationBase {
  readonly op: 'gate';
  readonly vector: Float32Array;
  readonly gate: Float32Array;
  readonly bias?: number;
  readonly readAt: 'last' | 'each';
}

/** h - strength x max(h.u - max, 0) u: the component along u is at most `max`. */
export interface CapOperation extends OperationBase {
  readonly op: 'cap';
  readonly vector: Float32Array;
  readonly max: number;
}

/**
 * (1 - strength) h + strength x (scale * h + shift), number by number (Linear-AcT, Rodriguez et al. 2025): optimal
 * transport of every coordinate by itself. strength in [0, 1] is the share of the way.
 */
export interface TransportOperation extends OperationBase {
  readonly op: 'transport';
  readonly scale: Float32Array;
  readonly shift: Float32Array;
}

export type SteeringOperation =
  | AddOperation
  | AblateOperation
  | ProjectOperation
  | AffineOperation
  | RotateOperation
  | SlerpOperation
  | ConceptorOperation
  | GateOperation
  | TransportOperation
  | CapOperation;

/** The engine's name of an operation's point. */
export function pointOf(operation: {
  readonly layer: number;
  readonly point?: SteeringPoint;
}): HookName {
  const { layer, point = 'hook_resid_post' } = operation;
  return point === 'hook_embed' ? point : `blocks.${layer}.${point}`;
}
