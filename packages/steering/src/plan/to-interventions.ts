// A plan as the interventions of one row: engine data where the engine has the edit, a stateless function elsewhere.
import { SafeInferError } from '@safeinfer/backend';
import type { HookContext, Intervention, Positions } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { isPerToken } from './condition.ts';
import { affineTarget, editActivation, firingTokens } from './edit-activation.ts';
import { pointOf, type Schedule, type SteeringOperation } from './operation.ts';
import { orderOfOperations, type SteeringPlan } from './steering-plan.ts';

export interface PlannedRow {
  /** Index of the row, for per-row vectors and strengths. Default 0. */
  readonly row?: number;
  /** Tokens of the row's whole prompt, cached ones too: windows and schedules count from here. */
  readonly promptLength?: number;
  /** One decision an operation, from `decideConditions`; needed when a condition is frozen at the prompt. */
  readonly decisions?: readonly boolean[];
}

/**
 * The interventions of one row, in the plan's stated order. Operations of strength 0 and conditions that did not
 * fire give none, so such a row keeps every bit. Throws BAD_ARGUMENT when the plan needs a prompt length or
 * decisions that were not given.
 */
export function toInterventions(plan: SteeringPlan, planned: PlannedRow = {}): Intervention[] {
  const { row = 0, promptLength, decisions } = planned;
  return orderOfOperations(plan.operations).flatMap((index): Intervention[] => {
    const operation = withOverride(plan, index, row);
    if (operation.strength === 0) return [];
    const { condition } = operation;
    if (condition && !isPerToken(condition)) {
      if (decisions === undefined) {
        throw new SafeInferError(
          `operation ${index} has a condition that is frozen at the prompt`,
          {
            code: 'BAD_ARGUMENT',
            hint: 'use steerRows, or pass the decisions of decideConditions',
          },
        );
      }
      if (!decisions[index]) return [];
    }
    return [asData(operation) ?? asFunction(operation, index, promptLength)];
  });
}

function withOverride(plan: SteeringPlan, index: number, row: number): SteeringOperation {
  const operation = plan.operations[index]!;
  const own = plan.rows?.filter((entry) => entry.row === row && entry.operation === index) ?? [];
  let result = operation;
  for (const { vector, strength } of own) {
    if (strength !== undefined) result = { ...result, strength };
    if (vector === undefined) continue;
    if (result.op === 'conceptor' || result.op === 'transport') {
      throw new SafeInferError(
        `operation ${index} is a ${result.op}: it has no vector to replace`,
        {
          code: 'BAD_ARGUMENT',
          hint: 'override its strength, or give each row its own plan',
        },
      );
    }
    result = { ...result, vector };
  }
  return result;
}

/** The engine's own data form, when it can say all of the operation. */
function asData(operation: SteeringOperation): Intervention | undefined {
  const { strength = 1, positions = 'all', schedule, condition, during, head, label } = operation;
  if (schedule !== undefined && schedule.kind !== 'constant') return undefined;
  if (isPerToken(condition)) return undefined;
  if (typeof positions === 'object' && 'from' in positions) return undefined;
  const base = {
    at: pointOf(operation),
    positions: positions as Positions,
    ...(during === undefined ? {} : { during }),
    ...(head === undefined ? {} : { heads: [head] }),
    ...(label === undefined ? {} : { label }),
  };
  switch (operation.op) {
    case 'add': {
      const { vector, norm = 'free' } = operation;
      if (norm === 'cap') return undefined;
      const op = norm === 'preserve' ? 'addKeepNorm' : 'add';
      return { ...base, op, vector, scale: strength };
    }
    case 'ablate':
      return { ...base, op: 'projectOut', vector: operation.vector, strength };
    case 'project':
      if (strength !== 1) return undefined;
      return { ...base, op: 'setComponent', vector: operation.vector, target: operation.value };
    case 'affine':
      if (strength !== 1) return undefined;
      return {
        ...base,
        op: 'setComponent',
        vector: operation.vector,
        target: affineTarget(operation),
      };
    default:
      return undefined;
  }
}

function asFunction(
  operation: SteeringOperation,
  index: number,
  promptLength: number | undefined,
): Intervention {
  const { positions = 'all', schedule } = operation;
  const windowed = typeof positions === 'object' && 'from' in positions;
  const scheduled = schedule !== undefined && schedule.kind !== 'constant';
  if ((windowed || scheduled) && promptLength === undefined) {
    throw new SafeInferError(
      `operation ${index} counts tokens from the prompt's end, which is not known`,
      { code: 'BAD_ARGUMENT', hint: "use steerRows, or pass the row's promptLength" },
    );
  }
  return {
    at: pointOf(operation),
    // The phase is judged by position where the prompt's length is known, so that a whole pass equals a cached one.
    apply: (activation, context) => {
      const strengths = strengthsAt(operation, context, promptLength);
      if (strengths.every((strength) => strength === 0)) return undefined;
      const { head } = operation;
      const whole = activation as tf.Tensor3D;
      const h =
        head === undefined
          ? (activation as tf.Tensor2D)
          : (tf.squeeze(tf.slice(whole, [0, head, 0], [-1, 1, -1]), [1]) as tf.Tensor2D);
      const last = promptLength === undefined ? -1 : context.positions.indexOf(promptLength - 1);
      const edited = editActivation({
        operation,
        h,
        strengths,
        readIndex: last === -1 ? context.positions.length - 1 : last,
      });
      const kept = keepUntouched({ operation, h, edited, strengths });
      if (head === undefined) return kept;
      const heads = whole.shape[1];
      const parts: tf.Tensor[] = [tf.expandDims(kept, 1)];
      if (head > 0) parts.unshift(tf.slice(whole, [0, 0, 0], [-1, head, -1]));
      if (head < heads - 1) parts.push(tf.slice(whole, [0, head + 1, 0], [-1, -1, -1]));
      return tf.concat(parts, 1);
    },
  };
}

/** Tokens of strength 0, and those whose condition is silent, keep their bits. */
function keepUntouched(options: {
  readonly operation: SteeringOperation;
  readonly h: tf.Tensor2D;
  readonly edited: tf.Tensor2D;
  readonly strengths: Float32Array;
}): tf.Tensor2D {
  const { operation, h, edited, strengths } = options;
  const { condition } = operation;
  let mask: tf.Tensor | undefined;
  if (strengths.some((strength) => strength === 0)) {
    const touched = Uint8Array.from(strengths, (strength) => (strength === 0 ? 0 : 1));
    mask = tf.tensor2d(touched, [strengths.length, 1], 'bool');
  }
  if (condition && isPerToken(condition)) {
    const firing = firingTokens(condition, h);
    mask = mask === undefined ? firing : tf.logicalAnd(mask, firing);
  }
  return mask === undefined ? edited : tf.where(mask, edited, h);
}

/** Each token's factor: strength x schedule where the token is meant, else 0. */
function strengthsAt(
  operation: SteeringOperation,
  context: HookContext,
  promptLength: number | undefined,
): Float32Array {
  const { strength = 1, positions = 'all', during = 'both', schedule } = operation;
  const end = context.positions.at(-1)! + 1;
  return Float32Array.from(context.positions, (position) => {
    const generated = promptLength === undefined ? undefined : position - promptLength;
    const phase =
      generated === undefined ? context.during : generated < 0 ? 'prompt' : 'generation';
    if (during !== 'both' && during !== phase) return 0;
    if (!isMeant(positions, { position, end, generated })) return 0;
    return strength * scheduled(schedule, Math.max(0, generated ?? 0));
  });
}

function isMeant(
  positions: NonNullable<SteeringOperation['positions']>,
  at: {
    readonly position: number;
    readonly end: number;
    readonly generated: number | undefined;
  },
): boolean {
  if (positions === 'all') return true;
  if (positions === 'last') {
    // With a known prompt, 'last' is what it would be step by step: the last prompt token and every later one.
    return at.generated === undefined ? at.position === at.end - 1 : at.generated >= -1;
  }
  if ('from' in positions) {
    return at.generated! >= positions.from && at.generated! < (positions.to ?? Infinity);
  }
  return positions.some((wanted) => (wanted < 0 ? at.end + wanted : wanted) === at.position);
}

function scheduled(schedule: Schedule | undefined, token: number): number {
  switch (schedule?.kind) {
    case 'linear':
      return 1 + (schedule.to - 1) * Math.min(1, token / schedule.over);
    case 'exponential':
      return schedule.to ** Math.min(1, token / schedule.over);
    case 'window':
      return token >= schedule.from && token < schedule.to ? 1 : 0;
    default:
      return 1;
  }
}
