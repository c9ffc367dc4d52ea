// An edit of one activation of one row, as data: serialisable, hashable, reproducible. Functions are the escape hatch.
import type { Tensor } from '@tensorflow/tfjs-core';
import type { HookName } from './hook-name.ts';

/** Which steps of a generation an intervention acts in. Prompt = every token given before the first sampled one. */
export type During = 'prompt' | 'generation' | 'both';

/**
 * Positions of one row, in its own pad-free coordinates: 0 is the row's first real token (cached tokens count),
 * negative numbers count from the row's end **as of this forward pass**; 'all' is every token of the pass;
 * 'last' is the last token of every forward pass (last prompt token, then each generated token).
 */
export type Positions = 'all' | 'last' | readonly number[];

interface InterventionBase {
  readonly at: HookName;
  /** Default 'all'. */
  readonly positions?: Positions;
  /** Default 'both'. */
  readonly during?: During;
  /** Head indices, for points that have a head axis (z, q, k, v, result, pattern, ...). Default: every head. */
  readonly heads?: readonly number[];
  /** Free text that identifies where the values came from; part of the serialised form. */
  readonly label?: string;
}

/** Numbers along the last axis (or head axis x last axis, row-major, when `heads` names several). */
export type Values = Float32Array | readonly number[];

export type DataIntervention = InterventionBase &
  (
    | { readonly op: 'add'; readonly vector: Values; readonly scale?: number }
    | { readonly op: 'set'; readonly vector: Values }
    | { readonly op: 'scale'; readonly factor: number }
    | { readonly op: 'zero' }
    /** x - (x.u)u with u the normalised vector; scaled by `strength` (default 1). */
    | { readonly op: 'projectOut'; readonly vector: Values; readonly strength?: number }
    /** x + (target - x.u)u: sets the component along u. */
    | { readonly op: 'setComponent'; readonly vector: Values; readonly target: number }
    /** Adds and rescales so that the norm of x is unchanged. */
    | { readonly op: 'addKeepNorm'; readonly vector: Values; readonly scale?: number }
    | { readonly op: 'clamp'; readonly min?: number; readonly max?: number }
    /** Replaces values at `positions` by rows of `values` ([positions.length, ...point shape], row-major). */
    | { readonly op: 'patch'; readonly values: Values }
  );

/** What a function intervention is told about the call. */
export interface HookContext {
  readonly name: HookName;
  readonly layer: number | undefined;
  readonly during: 'prompt' | 'generation';
  /** Absolute pad-free position of every column of the row's slice. */
  readonly positions: readonly number[];
  /** Index of the row in the forward call. */
  readonly row: number;
}

/**
 * For exploration: gets this row's slice without padding ([p, ...] for per-position points, [h, q, k] for attention
 * matrices) inside a tidy; returns a tensor of the same shape to replace it, or nothing to leave it.
 * Synchronous. Not serialisable: caches keyed by interventions refuse it.
 */
export interface FunctionIntervention {
  readonly at: HookName;
  readonly during?: During;
  readonly apply: (activation: Tensor, context: HookContext) => Tensor | undefined;
}

export type Intervention = DataIntervention | FunctionIntervention;

export function isDataIntervention(intervention: Intervention): intervention is DataIntervention {
  return 'op' in intervention;
}
