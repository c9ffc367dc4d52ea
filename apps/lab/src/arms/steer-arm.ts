// The steering of one arm: a safety vector built on the model as it is now, or something from a file.
import { SafeInferError } from '@safeinfer/backend';
import { safetyArithmeticInterventions } from '@safeinfer/guided-sampler';
import {
  type AddOperation,
  calibrateKl,
  type Demonstration,
  loadDirections,
  loadPlan,
  rawStrength,
  type SteeringPlan,
  safetyAmplification,
  safetyPreset,
  scalePlan,
  toInterventions,
} from '@safeinfer/steering';
import type { Intervention, Row, Transformer } from '@safeinfer/transformer';
import type { AmplificationConfig, SteerConfig, VectorConfig } from '../config/steer-schema.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { Store } from '../store/open-store.ts';
import { type BuiltVector, storedVector, vectorKey } from '../store/stored-vector.ts';
import { besideExperiment } from './arm-files.ts';
import type { ArmDemonstrations } from './demonstrations.ts';

export interface SteerArmOptions {
  readonly steer: SteerConfig;
  readonly arm: string;
  readonly model: Transformer;
  readonly demonstrations: ArmDemonstrations | undefined;
  /** What decides a vector besides the arm's own settings: the model, its edits, the backend. */
  readonly modelIdentity: unknown;
  readonly experimentFile: string;
  readonly store: Store | undefined;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}

export interface SteeredArm {
  readonly interventions: readonly Intervention[];
  readonly notes: readonly string[];
  /** Of safety amplification: every head's effect, for the head map. */
  readonly vector?: BuiltVector;
  /** Key of what was stored for it. */
  readonly keys: readonly string[];
}

/** Prompts on which a strength with a unit is measured: enough for a mean, few enough to be quick. */
const UNIT_PROMPTS = 16;

export async function steerArm(options: SteerArmOptions): Promise<SteeredArm> {
  const { steer } = options;
  if (steer.safetyAmplification) return amplified(steer.safetyAmplification, options);
  if (steer.vector) return fromFile(steer.vector, options);
  const { path, alpha, force } = steer.safetyArithmetic!;
  const { directions } = await loadDirections(besideExperiment(path, options.experimentFile), {
    model: options.model,
    force,
    point: 'hook_mlp_out',
  });
  return {
    interventions: safetyArithmeticInterventions({
      directions,
      ...(alpha === undefined ? {} : { alpha }),
    }),
    notes: [`safety arithmetic at layers ${[...directions.keys()].join(' ')}`],
    keys: [],
  };
}

async function amplified(
  config: AmplificationConfig,
  options: SteerArmOptions,
): Promise<SteeredArm> {
  const { model, seed, demonstrations, arm } = options;
  const { settings, strength: asked } = resolveAmplification(config, model);
  const safe: readonly Demonstration[] = demonstrations?.safe ?? [];
  const compliant = demonstrations?.compliant;
  const key = vectorKey({
    modelIdentity: options.modelIdentity,
    seed,
    ...settings,
    safe,
    compliant,
  });
  const vector = await storedVector({
    key,
    store: options.store,
    build: () =>
      safetyAmplification({
        model,
        ...settings,
        strength: 1,
        safe,
        ...(compliant === undefined ? {} : { compliant }),
        seed,
        signal: options.signal,
        onProgress: ({ phase, done, total }) =>
          options.onProgress({ phase: `${arm}: ${phase}`, done, total }),
      }),
  });
  const strength = await strengthOf({
    plan: vector.plan,
    value: asked,
    unit: config.unit ?? 'raw',
    rows: safe.slice(0, UNIT_PROMPTS).map(({ question }): Row => ({ tokens: question })),
    options,
  });
  const heads = vector.heads.map(({ layer, head }) => `${layer}.${head}`).join(' ');
  const where = config.inject === 'distributed' ? 'at their own heads' : `at layer ${vector.layer}`;
  const measured =
    config.unit === undefined || config.unit === 'raw' ? '' : ` (${asked} ${config.unit})`;
  return {
    interventions: toInterventions(scalePlan(vector.plan, strength)),
    notes: [`vector of heads ${heads} ${where}, strength ${short(strength)}${measured}`],
    vector,
    keys: [key],
  };
}

/** The preset's numbers where the file gives none. */
function resolveAmplification(
  config: AmplificationConfig,
  model: Transformer,
): {
  readonly strength: number;
  readonly settings: Omit<Parameters<typeof safetyAmplification>[0], 'model' | 'safe' | 'seed'>;
} {
  const {
    preset = 'default',
    safe: _,
    compliant: __,
    unit: ___,
    strength,
    heads,
    ...given
  } = config;
  const { strength: presetStrength = 0.5, ...defaults } = safetyPreset(preset, model.config);
  const settings = { ...defaults, ...definedOf(given) };
  return {
    strength: strength ?? presetStrength,
    settings: {
      ...settings,
      ...(heads ? { heads: heads.map(([layer, head]) => ({ layer, head })) } : {}),
    },
  };
}

async function fromFile(config: VectorConfig, options: SteerArmOptions): Promise<SteeredArm> {
  const { model, experimentFile } = options;
  const path = besideExperiment(config.path, experimentFile);
  const plan = await readPlan(path, config, model);
  const { strength } = config;
  const layers = [...new Set(plan.operations.map(({ layer }) => layer))].join(' ');
  return {
    interventions: toInterventions(scalePlan(plan, strength)),
    notes: [`${config.path} at layer ${layers}, strength ${short(strength)}`],
    keys: [],
  };
}

async function readPlan(
  path: string,
  { layer, positions, force }: VectorConfig,
  model: Transformer,
): Promise<SteeringPlan> {
  if (path.endsWith('.safetensors') && layer === undefined) {
    try {
      return await loadPlan(path, { model, force });
    } catch (error) {
      // Directions are safetensors too, without a plan in the header.
      if (!(SafeInferError.isInstance(error) && /no steering plan/.test(error.message)))
        throw error;
    }
  }
  const { directions, point } = await loadDirections(path, {
    model,
    force,
    ...(layer === undefined ? {} : { layer }),
  });
  const chosen = layer === undefined ? directions : pick(directions, layer, path);
  return {
    operations: [...chosen].map(
      ([at, vector]): AddOperation => ({ op: 'add', layer: at, point, vector, positions }),
    ),
  };
}

function pick(
  directions: ReadonlyMap<number, Float32Array>,
  layer: number,
  path: string,
): ReadonlyMap<number, Float32Array> {
  const own = directions.get(layer);
  if (own) return new Map([[layer, own]]);
  throw new SafeInferError(`${path} has no direction of layer ${layer}`, {
    code: 'BAD_ARGUMENT',
    hint: `it has layers ${[...directions.keys()].join(', ')}`,
  });
}

async function strengthOf(parts: {
  readonly plan: SteeringPlan;
  readonly value: number;
  readonly unit: NonNullable<AmplificationConfig['unit']>;
  readonly rows: readonly Row[];
  readonly options: SteerArmOptions;
}): Promise<number> {
  const { plan, value, unit, rows, options } = parts;
  const { model, signal, arm } = options;
  if (unit === 'raw' || value === 0) return value;
  if (unit === 'kl') {
    return (await calibrateKl({ model, plan, rows, target: value, signal })).factor;
  }
  const [operation] = plan.operations;
  if (plan.operations.length !== 1 || operation?.op !== 'add') {
    throw new SafeInferError(`arm "${arm}": ${unit} is a unit of one vector at one layer`, {
      code: 'BAD_ARGUMENT',
      hint: 'use unit raw or kl, or inject: aggregate',
    });
  }
  return rawStrength({ model, operation, unit, value, rows, signal });
}

function definedOf<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
