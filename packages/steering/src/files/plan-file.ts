// A whole plan in one safetensors file: its numbers as tensors, the rest as JSON in the header.
import type { Transformer } from '@safeinfer/transformer';
import { openSafetensors, type TensorToWrite, writeSafetensors } from '@safeinfer/transformer';
import { checkPlan } from '../plan/check-plan.ts';
import { checkMadeOn } from '../plan/fingerprint.ts';
import type { SteeringPlan } from '../plan/steering-plan.ts';
import { badFile } from './bad-file.ts';

const KEY = 'safeinfer.plan';

/** Everything the plan says, exactly; equal vectors that are one array are written once. */
export async function savePlan(path: string, plan: SteeringPlan): Promise<void> {
  const names = new Map<Float32Array, string>();
  const json = JSON.stringify(plan, (_key, value: unknown) => {
    if (!(value instanceof Float32Array)) return value;
    const name = names.get(value) ?? `t${names.size}`;
    names.set(value, name);
    return { $tensor: name };
  });
  const tensors = [...names].map(
    ([data, name]): TensorToWrite => ({ name, dtype: 'F32', shape: [data.length], data }),
  );
  await writeSafetensors(path, tensors, { metadata: { [KEY]: json } });
}

/**
 * Reads a plan back. With a model it is checked against it: shapes always, the fingerprint unless `force`. Throws
 * BAD_FILE, WRONG_MODEL and what `checkPlan` throws.
 */
export async function loadPlan(
  path: string,
  options: { readonly model?: Transformer; readonly force?: boolean } = {},
): Promise<SteeringPlan> {
  const file = await openSafetensors(path);
  let plan: SteeringPlan;
  try {
    const json = file.metadata.get(KEY);
    if (json === undefined) {
      throw badFile('the file holds no steering plan', 'directions are read by loadDirections');
    }
    const tensors = new Map<string, Float32Array>();
    for (const name of file.tensors.keys()) {
      tensors.set(name, Float32Array.from((await file.read(name)).data));
    }
    try {
      plan = JSON.parse(json, (_key, value: unknown) => {
        const name = (value as { readonly $tensor?: unknown } | null)?.$tensor;
        if (typeof name !== 'string') return value;
        const data = tensors.get(name);
        if (data === undefined) throw badFile(`tensor '${name}' is missing`, 'save it again');
        return data;
      }) as SteeringPlan;
    } catch (cause) {
      throw badFile('the plan in the file is damaged', 'save it again', cause);
    }
    if (!Array.isArray(plan.operations))
      throw badFile('a plan without operations', 'save it again');
  } finally {
    await file.close();
  }
  if (options.model) {
    await checkMadeOn({ plan, model: options.model, force: options.force ?? false });
    checkPlan(plan, options.model.config);
  }
  return plan;
}
