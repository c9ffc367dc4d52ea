// A steering plan: operations, what each row overrides, and where they came from; the whole of it is data.
import { SafeInferError } from '@safeinfer/backend';
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
 * slerp, conceptor, gate, transport), then additions, then caps; inside a class in the order given.
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
  transport: 0,
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

/** Layer, point and head an operation acts on. */
function siteOf({ layer, point = 'hook_resid_post', head }: SteeringOperation): string {
  return `layer ${layer}, ${point}${head === undefined ? '' : `, head ${head}`}`;
}

/**
 * A plan of several plans' operations, in order; row overrides move along. Where two plans act on one site (layer,
 * point and head): 'sequential' (default) lets both act, 'priority' drops the later plan's, 'error' throws
 * BAD_ARGUMENT.
 */
export function composePlans(
  plans: readonly SteeringPlan[],
  options: { readonly conflict?: 'sequential' | 'priority' | 'error' } = {},
): SteeringPlan {
  const { conflict = 'sequential' } = options;
  const rows: RowOverride[] = [];
  const operations: SteeringOperation[] = [];
  const taken = new Set<string>();
  for (const plan of plans) {
    const places = new Map<number, number>();
    for (const [index, operation] of plan.operations.entries()) {
      const site = siteOf(operation);
      if (conflict === 'error' && taken.has(site)) {
        throw new SafeInferError(`two plans act on ${site}`, {
          code: 'BAD_ARGUMENT',
          hint: "take one of them out, or say conflict: 'sequential' or 'priority'",
        });
      }
      if (conflict === 'priority' && taken.has(site)) continue;
      places.set(index, operations.length);
      operations.push(operation);
    }
    for (const operation of plan.operations) taken.add(siteOf(operation));
    for (const row of plan.rows ?? []) {
      const place = places.get(row.operation);
      if (place !== undefined) rows.push({ ...row, operation: place });
    }
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
