// A steering plan: operations, what each row overrides, and where they came from; the whole of it is data.
import type { SteeringOperation } from './operation.ts';

/** How a vector was made: enough to make it again, or to know that one cannot. */
export interface Recipe {
  readonly method: string;
  /** Of the method's implementation; changes when the same input gives other numbers. */
  readonly version: number;
  readonly seed?: number;
  /** sha256 of the texts or tokens it was read from. */
  readonly data?: string;
  readonly settings?: Readonly<Record<string, string | number | boolean | null>>;
}

/** Replaces the numbers of one operation for one row. */
export interface RowOverride {
  readonly row: number;
  /** Index into `operations`. */
  readonly operation: number;
  readonly vector?: Float32Array;
  readonly strength?: number;
}

/**
 * Operations at one point act in this order, whatever their order here: edits (ablate, project, affine, rotate,
 * slerp, conceptor, gate), then additions, then caps; inside a class in the order given.
 */
export interface SteeringPlan {
  readonly operations: readonly SteeringOperation[];
  /** Per-row vectors and strengths; a row without an entry uses the operations as they are. */
  readonly rows?: readonly RowOverride[];
  /** Fingerprint of the model it was made on (`modelFingerprint`). */
  readonly model?: string;
  readonly recipe?: Recipe;
}

const CLASS: Readonly<Record<SteeringOperation['op'], number>> = {
  ablate: 0,
  project: 0,
  affine: 0,
  rotate: 0,
  slerp: 0,
  conceptor: 0,
  gate: 0,
  add: 1,
  cap: 2,
};

/** Indices of a plan's operations in the order in which they act. */
export function orderOfOperations(operations: readonly SteeringOperation[]): number[] {
  return operations.map((_, i) => i).sort((a, b) => place(a) - place(b) || a - b);

  function place(index: number): number {
    return CLASS[operations[index]!.op];
  }
}

/** A plan of several plans' operations, in order; row overrides move along. */
export function composePlans(plans: readonly SteeringPlan[]): SteeringPlan {
  const rows: RowOverride[] = [];
  const operations: SteeringOperation[] = [];
  for (const plan of plans) {
    for (const row of plan.rows ?? []) {
      rows.push({ ...row, operation: row.operation + operations.length });
    }
    operations.push(...plan.operations);
  }
  const models = new Set(plans.flatMap(({ model }) => (model === undefined ? [] : [model])));
  return {
    operations,
    ...(rows.length === 0 ? {} : { rows }),
    ...(models.size === 1 ? { model: [...models][0]! } : {}),
  };
}

/** Every strength times a factor: the dial of sweeps and calibration. */
export function scalePlan(plan: SteeringPlan, factor: number): SteeringPlan {
  return {
    ...plan,
    operations: plan.operations.map((operation) => ({
      ...operation,
      strength: (operation.strength ?? 1) * factor,
    })),
    ...(plan.rows === undefined
      ? {}
      : {
          rows: plan.rows.map((row) =>
            row.strength === undefined ? row : { ...row, strength: row.strength * factor },
          ),
        }),
  };
}

/** The same plan with one operation list mapped: other vectors, other layers. */
export function mapOperations(
  plan: SteeringPlan,
  change: (operation: SteeringOperation, index: number) => SteeringOperation,
): SteeringPlan {
  return { ...plan, operations: plan.operations.map(change) };
}
