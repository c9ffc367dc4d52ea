// Refuses plans that do not fit a model before any work starts, saying which operation and why.
import { SafeInferError } from '@safeinfer/backend';
import type { ModelConfig } from '@safeinfer/transformer';
import { type Condition, type ConditionRule, conditionsOf } from './condition.ts';
import { pointOf, type SteeringOperation } from './operation.ts';
import type { SteeringPlan } from './steering-plan.ts';

/**
 * Throws BAD_ARGUMENT for layers, heads, numbers and positions that cannot be meant, WRONG_MODEL for vectors of
 * another width.
 */
export function checkPlan(plan: SteeringPlan, config: ModelConfig): void {
  plan.operations.forEach((operation, index) => {
    checkOperation(operation, `operation ${index} (${operation.op})`, config);
  });
  for (const { row, operation, vector, strength } of plan.rows ?? []) {
    const target = plan.operations[operation];
    const what = `override of row ${row}`;
    if (target === undefined || !Number.isInteger(row) || row < 0) {
      throw bad(what, `operation ${operation} does not exist`, 'rows and operations count from 0');
    }
    if (vector !== undefined) checkVector(vector, widthOf(target, config), what);
    if (strength !== undefined) checkNumber(strength, `${what}: strength`);
  }
}

function checkOperation(operation: SteeringOperation, what: string, config: ModelConfig): void {
  const { layer, head, point, strength = 1, positions = 'all', condition, schedule } = operation;
  checkLayer(layer, what, config);
  const perHead = point === 'attn.hook_z';
  if (perHead !== (head !== undefined)) {
    throw bad(
      what,
      perHead ? 'no head is named' : `'${point ?? 'hook_resid_post'}' has no head axis`,
      "name `head` exactly when the point is 'attn.hook_z'",
    );
  }
  if (head !== undefined && !(Number.isInteger(head) && head >= 0 && head < config.nHeads)) {
    throw bad(what, `head ${head} does not exist`, `use heads 0 to ${config.nHeads - 1}`);
  }
  checkNumber(strength, `${what}: strength`);
  const width = widthOf(operation, config);
  if (operation.op === 'conceptor') {
    checkVector(operation.matrix, width * width, what);
    checkNumber(operation.beta, `${what}: beta`);
  } else if (operation.op === 'transport') {
    checkVector(operation.scale, width, `${what}: scale`);
    checkVector(operation.shift, width, `${what}: shift`);
  } else {
    checkVector(operation.vector, width, what);
    if (operation.op !== 'add' && operation.op !== 'gate') checkLength(operation.vector, what);
  }
  switch (operation.op) {
    case 'project':
      checkNumber(operation.value, `${what}: value`);
      break;
    case 'affine':
      checkVector(operation.reference, width, `${what}: reference`);
      checkNumber(operation.alpha, `${what}: alpha`);
      break;
    case 'rotate':
      checkVector(operation.second, width, `${what}: second`);
      checkNumber(operation.degrees, `${what}: degrees`);
      checkPlane(operation.vector, operation.second, what);
      break;
    case 'slerp':
      if (strength < 0 || strength > 1)
        throw bad(what, `strength is ${strength}`, 'slerp goes from 0 to 1');
      break;
    case 'gate':
      checkVector(operation.gate, width, `${what}: gate`);
      checkNumber(operation.bias ?? 0, `${what}: bias`);
      break;
    case 'cap':
      checkNumber(operation.max, `${what}: max`);
      break;
    default:
  }
  if (Array.isArray(positions) && !positions.every(Number.isInteger)) {
    throw bad(what, 'a position is not an integer', 'use token positions');
  }
  if (schedule !== undefined) checkSchedule(schedule, what);
  if (condition !== undefined) checkRule(condition, operation, what, config);
}

function checkSchedule(schedule: NonNullable<SteeringOperation['schedule']>, what: string): void {
  if (schedule.kind === 'constant') return;
  if (schedule.kind === 'window') {
    if (schedule.to > schedule.from) return;
    throw bad(what, 'the window of its schedule is empty', 'give `from` < `to`');
  }
  checkNumber(schedule.to, `${what}: schedule.to`);
  if (!(schedule.over >= 1) || (schedule.kind === 'exponential' && schedule.to <= 0)) {
    throw bad(
      what,
      `its ${schedule.kind} schedule goes to ${schedule.to} over ${schedule.over} tokens`,
      'run over at least one token; an exponential one ends above 0',
    );
  }
}

function checkRule(
  rule: ConditionRule,
  operation: SteeringOperation,
  what: string,
  config: ModelConfig,
): void {
  const leaves = conditionsOf(rule);
  if (leaves.length === 0) {
    throw bad(`${what}: condition`, 'a group of no conditions', 'name at least one in all or any');
  }
  for (const leaf of leaves) checkCondition(leaf, operation, what, config);
  if (new Set(leaves.map(({ freeze = 'prompt' }) => freeze)).size > 1) {
    throw bad(
      `${what}: condition`,
      'it joins conditions frozen at the prompt with ones read at every token',
      'give all of a group the same `freeze`',
    );
  }
}

function checkCondition(
  condition: Condition,
  operation: SteeringOperation,
  what: string,
  config: ModelConfig,
): void {
  checkLayer(condition.layer, `${what}: condition`, config);
  checkVector(condition.vector, config.dModel, `${what}: condition`);
  if (condition.score !== 'probe') checkLength(condition.vector, `${what}: condition`);
  if (!Number.isFinite(condition.threshold) || !Number.isFinite(condition.bias ?? 0)) {
    throw bad(
      `${what}: condition`,
      `its threshold is ${condition.threshold}, its bias ${condition.bias ?? 0}`,
      'a condition compares numbers; NaN would never fire',
    );
  }
  if (condition.freeze === 'token' && pointOf(condition) !== pointOf(operation)) {
    throw bad(
      `${what}: condition`,
      `it reads ${pointOf(condition)} at every token but the operation acts at ${pointOf(operation)}`,
      "a 'token' condition reads where the operation acts; use freeze: 'prompt' for other points",
    );
  }
}

/** Numbers in one unit of the operation's point. */
export function widthOf(operation: SteeringOperation, config: ModelConfig): number {
  return operation.point === 'attn.hook_z' ? config.dHead : config.dModel;
}

export function checkLayer(layer: number, what: string, config: ModelConfig): void {
  if (Number.isInteger(layer) && layer >= 0 && layer < config.nLayers) return;
  throw bad(
    what,
    `layer ${layer} does not exist: the model has ${config.nLayers} blocks`,
    `name a layer between 0 and ${config.nLayers - 1}`,
  );
}

export function checkVector(vector: ArrayLike<number>, width: number, what: string): void {
  if (vector.length !== width) {
    throw new SafeInferError(`${what}: it has ${vector.length} numbers, the model needs ${width}`, {
      code: 'WRONG_MODEL',
      hint: 'a vector works only on the model (and the point) it was made for',
    });
  }
  for (let i = 0; i < vector.length; i += 1) checkNumber(vector[i]!, `${what}: number ${i}`);
}

function checkLength(vector: ArrayLike<number>, what: string): void {
  for (let i = 0; i < vector.length; i += 1) if (vector[i] !== 0) return;
  throw bad(what, 'its direction is the zero vector', 'a direction needs a length');
}

function checkPlane(first: Float32Array, second: Float32Array, what: string): void {
  let [dot, a, b] = [0, 0, 0];
  for (let i = 0; i < first.length; i += 1) {
    dot += first[i]! * second[i]!;
    a += first[i]! ** 2;
    b += second[i]! ** 2;
  }
  if (b > 0 && 1 - dot ** 2 / (a * b) > 1e-10) return;
  throw bad(what, 'its two vectors span no plane', 'give two directions that differ');
}

function checkNumber(value: number, what: string): void {
  if (typeof value === 'number' && Number.isFinite(value)) return;
  throw new SafeInferError(`${what} is ${value}`, {
    code: 'BAD_ARGUMENT',
    hint: 'use a finite number',
  });
}

function bad(what: string, why: string, hint: string): SafeInferError {
  return new SafeInferError(`${what}: ${why}`, { code: 'BAD_ARGUMENT', hint });
}
