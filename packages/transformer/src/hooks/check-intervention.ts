// Refuses interventions whose numbers do not fit their point, before any work starts.
import { SafeInferError } from '@safeinfer/backend';
import type { ModelConfig } from '../config/model-config.ts';
import { type Intervention, isDataIntervention } from './intervention.ts';
import type { Axis, ParsedHook } from './points.ts';

/** The size of an axis, or undefined for the axes of tokens. */
export function axisSize(axis: Axis, config: ModelConfig): number | undefined {
  switch (axis) {
    case 'h':
      return config.nHeads;
    case 'kv':
      return config.nKvHeads;
    case 'e':
      return config.dHead;
    case 'D':
      return config.dModel;
    case 'm':
      return config.dMlp;
    case 'V':
      return config.vocabSize;
    case '1':
      return 1;
    default:
      return undefined;
  }
}

/** Number of heads of a point's head axis; undefined when it has none. */
export function headsOf({ info }: ParsedHook, config: ModelConfig): number | undefined {
  const axis = info.axes.find((candidate) => candidate === 'h' || candidate === 'kv');
  return axis === undefined ? undefined : axisSize(axis, config);
}

const checked = new WeakSet<Intervention>();

/** Throws BAD_ARGUMENT for bad heads, lengths or numbers. Values are scanned once per intervention object. */
export function checkIntervention(
  intervention: Intervention,
  hook: ParsedHook,
  config: ModelConfig,
): void {
  if (!isDataIntervention(intervention)) {
    if (typeof intervention.apply === 'function') return;
    throw bad(intervention.at, 'it has neither an op nor an apply function', 'see Intervention');
  }
  const heads = headsOf(hook, config);
  for (const head of intervention.heads ?? []) {
    if (heads === undefined) {
      throw bad(intervention.at, 'the point has no head axis', 'leave `heads` out');
    }
    if (Number.isInteger(head) && head >= 0 && head < heads) continue;
    throw bad(intervention.at, `head ${head} does not exist`, `use heads 0 to ${heads - 1}`);
  }
  for (const position of Array.isArray(intervention.positions) ? intervention.positions : []) {
    if (Number.isInteger(position)) continue;
    throw bad(intervention.at, `position ${position} is not an integer`, 'use token positions');
  }
  const width = axisSize(hook.info.axes.at(-1) as Axis, config);
  if ('vector' in intervention && width !== undefined) {
    const count = intervention.heads?.length ?? heads ?? 1;
    const { length } = intervention.vector;
    if (length !== width && length !== count * width) {
      throw bad(
        intervention.at,
        `its vector has ${length} numbers`,
        `give ${width}${count > 1 ? `, or ${count} heads x ${width}` : ''}`,
      );
    }
  }
  checkNumbers(intervention);
}

function checkNumbers(intervention: Extract<Intervention, { readonly op: string }>): void {
  if (checked.has(intervention)) return;
  for (const key of ['scale', 'factor', 'strength', 'target', 'min', 'max'] as const) {
    const value = (intervention as unknown as Record<string, unknown>)[key];
    const open = key === 'min' || key === 'max'; // an infinite bound is no bound
    if (value === undefined || (typeof value === 'number' && (open || Number.isFinite(value)))) {
      continue;
    }
    throw bad(intervention.at, `${key} is ${String(value)}`, 'use a finite number');
  }
  const values =
    'vector' in intervention
      ? intervention.vector
      : 'values' in intervention
        ? intervention.values
        : [];
  let norm = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) {
      throw bad(intervention.at, `its values hold ${value}`, 'use finite numbers');
    }
    norm += value * value;
  }
  if ((intervention.op === 'projectOut' || intervention.op === 'setComponent') && norm === 0) {
    throw bad(intervention.at, 'its direction is the zero vector', 'a direction needs a length');
  }
  checked.add(intervention);
}

function bad(at: string, why: string, hint: string): SafeInferError {
  return new SafeInferError(`intervention at '${at}': ${why}`, { code: 'BAD_ARGUMENT', hint });
}
