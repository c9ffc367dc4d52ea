// The value v*: the MLP output that makes the model say the new object (ROME Eq. 4), found by Adam on a shift delta.
import { SafeInferError } from '@safeinfer/backend';
import type { HookName, Transformer } from '@safeinfer/transformer';
import { optimiseShifts, type ShiftOptions } from './optimise-shifts.ts';

export interface ValueOptions {
  readonly learningRate: number;
  /** At most steps - 1 updates: the loss is looked at before each (reference behaviour). */
  readonly steps: number;
  readonly klFactor: number;
  /** Weight of |delta| / |initial value|^2. */
  readonly weightDecay: number;
  /** Limit of |delta| as a multiple of the initial value's norm. */
  readonly clampFactor: number;
  /** Stop below this loss. The reference stops at 0.05. */
  readonly stopLoss: number;
}

/** Common hyper-parameters of every published ROME preset; steps and decay are the Llama-class ones. */
export const VALUE_DEFAULTS: ValueOptions = {
  learningRate: 0.5,
  steps: 25,
  klFactor: 0.0625,
  weightDecay: 1e-3,
  clampFactor: 4,
  stopLoss: 0.05,
};

/** The options a caller gave, completed. @throws BAD_ARGUMENT naming a number that means nothing */
export function valueSettings(given: Partial<ValueOptions>, base: ValueOptions): ValueOptions {
  const settings: ValueOptions = {
    learningRate: given.learningRate ?? base.learningRate,
    steps: given.steps ?? base.steps,
    klFactor: given.klFactor ?? base.klFactor,
    weightDecay: given.weightDecay ?? base.weightDecay,
    clampFactor: given.clampFactor ?? base.clampFactor,
    stopLoss: given.stopLoss ?? base.stopLoss,
  };
  for (const [name, value] of Object.entries(settings)) {
    const fits = Number.isFinite(value) && value >= 0 && (name !== 'steps' || value >= 1);
    if (fits && (name !== 'steps' || Number.isInteger(value))) continue;
    throw new SafeInferError(`${name} is ${value}`, {
      code: 'BAD_ARGUMENT',
      hint: 'hyper-parameters are finite and not negative; steps is a whole number from 1',
    });
  }
  return settings;
}

export interface OptimisedValue {
  /** dModel numbers: initial value + delta. */
  readonly value: Float64Array;
  readonly delta: Float64Array;
  /** What the point held at the lookup token of the bare prompt. */
  readonly initial: Float64Array;
  /** Loss before each update. */
  readonly losses: readonly number[];
}

/** The MLP module's own output, to which the edited projection writes directly. */
export function valuePoint(model: Transformer, layer: number): HookName {
  return model.config.block.postNorm
    ? `blocks.${layer}.hook_mlp_out_raw`
    : `blocks.${layer}.hook_mlp_out`;
}

/** The attention module's own output. */
export function attentionPoint(model: Transformer, layer: number): HookName {
  return model.config.block.postNorm
    ? `blocks.${layer}.hook_attn_out_raw`
    : `blocks.${layer}.hook_attn_out`;
}

/**
 * Minimises  mean NLL(target | context, delta) + klFactor KL(p_delta || p_0) + weightDecay |delta| / |v_0|^2
 * over delta added at each row's lookup token: to the MLP output of `layer` (ROME; reference: kmeng01/rome
 * compute_v) or to another point, for MEMIT and its kin the block's output (kmeng01/memit compute_z).
 * `contexts[0]` is the bare prompt. The KL row keeps what the model says of the subject in general.
 */
export async function optimiseValue(
  options: Omit<ShiftOptions, 'points' | 'adaptive'> & {
    /** Where delta is added. Default: the MLP output. */
    readonly at?: HookName;
  },
): Promise<OptimisedValue> {
  const { at = valuePoint(options.model, options.layer) } = options;
  const [value] = await optimiseShifts({ ...options, points: [at] });
  return value!;
}
