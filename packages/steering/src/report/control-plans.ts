// What a steering vector has to beat: no steering, random vectors of its length, itself turned round.
import { normals } from '@safeinfer/transformer';
import { norm } from '../linear-algebra/matrix.ts';
import { mapOperations, type SteeringPlan, scalePlan } from '../plan/steering-plan.ts';

/** The plan with every vector replaced by a random one of equal length; maps (conceptor, transport) stay as they are. */
export function randomPlan(plan: SteeringPlan, seed: number): SteeringPlan {
  return mapOperations(plan, (operation, index) => {
    if (operation.op === 'conceptor' || operation.op === 'transport') return operation;
    const raw = normals(Math.imul(seed + 1, 1_000_003) + index, operation.vector.length);
    const scale = norm(operation.vector) / norm(raw);
    return { ...operation, vector: Float32Array.from(raw, (x) => x * scale) };
  });
}

/** Every strength with the opposite sign. */
export function flippedPlan(plan: SteeringPlan): SteeringPlan {
  return scalePlan(plan, -1);
}
