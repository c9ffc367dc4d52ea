// Safety vectors from the store: building one again costs hundreds of forward passes.
import { contentHash } from '@safeinfer/harmeval';
import type { SafetyAmplification, SteeringOperation, SteeringPlan } from '@safeinfer/steering';
import type { Store } from './open-store.ts';

/** An addition of SA, with numbers as JSON has them. */
interface StoredOperation {
  readonly point?: string;
  readonly layer: number;
  readonly head?: number;
  readonly label?: string;
  readonly vector: readonly number[];
}

interface StoredVector {
  readonly operations: readonly StoredOperation[];
  readonly layer: number;
  readonly heads: SafetyAmplification['heads'];
  readonly effects: readonly HeadScore[];
  readonly metric: string;
}

export interface HeadScore {
  readonly layer: number;
  readonly head: number;
  readonly effect: number;
}

/** What of a vector an arm and a report need. `plan` has strength 1. */
export interface BuiltVector {
  readonly layer: number;
  readonly heads: SafetyAmplification['heads'];
  /** Every head's AIE, best first; empty when the heads were given. */
  readonly effects: readonly HeadScore[];
  readonly metric: string;
  readonly plan: SteeringPlan;
}

/** `identity`: model, edit, demonstrations and settings; the strength is applied to the stored vector, not part of it. */
export function vectorKey(identity: unknown): string {
  return contentHash({ kind: 'safety-vector', version: 2, identity });
}

/** `build` is asked for the vector at strength 1. */
export async function storedVector(options: {
  readonly key: string;
  readonly store: Store | undefined;
  readonly build: () => Promise<SafetyAmplification>;
}): Promise<BuiltVector> {
  const { key, store, build } = options;
  let known = store?.get(key) as StoredVector | undefined;
  if (known === undefined) {
    known = toStored(await build());
    store?.set(new Map([[key, known]]));
  }
  return fromStored(known);
}

function toStored(built: SafetyAmplification): StoredVector {
  return {
    operations: built.plan.operations.map((operation): StoredOperation => {
      if (operation.op !== 'add') throw new Error(`safety amplification with ${operation.op}`);
      const { point, layer, head, label, vector } = operation;
      return {
        ...(point === undefined ? {} : { point }),
        layer,
        ...(head === undefined ? {} : { head }),
        ...(label === undefined ? {} : { label }),
        vector: Array.from(vector),
      };
    }),
    layer: built.layer,
    heads: built.heads.map(({ layer, head }) => ({ layer, head })),
    effects: built.effects?.ranked ?? [],
    metric: built.effects?.metric ?? '',
  };
}

function fromStored(stored: StoredVector): BuiltVector {
  const { operations, ...facts } = stored;
  return {
    ...facts,
    plan: {
      operations: operations.map(
        ({ vector, ...operation }) =>
          ({
            ...operation,
            op: 'add',
            vector: Float32Array.from(vector),
            strength: 1,
            positions: 'last',
          }) as SteeringOperation,
      ),
    },
  };
}
