// One arm as a guided-sampler plan: the plain model, steered, guided, or both.
import { compile, type Plan, safeInferFormula, term } from '@safeinfer/guided-sampler';
import { type SafetyAmplification, safetyAmplification } from '@safeinfer/steering';
import type { Intervention, Transformer } from '@safeinfer/transformer';
import type { ArmConfig } from '../config/experiment-schema.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import { loadDemonstrations } from './demonstrations.ts';
import type { UnsafeTwins } from './unsafe-twins.ts';

export interface BuiltArm {
  readonly name: string;
  readonly plan: Plan;
  /** What was built for it, for the report. */
  readonly notes: readonly string[];
}

export type VectorCache = Map<string, Promise<SafetyAmplification>>;

/** Builds the arm's vector on the model as it is now (edited or not) and compiles its formula. */
export async function buildArm(options: {
  readonly arm: ArmConfig;
  readonly model: Transformer;
  readonly twins: UnsafeTwins;
  /** Vectors of this model in its present state, by what was asked for: arms that differ in decoding share them. */
  readonly vectors: VectorCache;
  readonly seed: number;
  readonly experimentFile: string;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}): Promise<BuiltArm> {
  const { arm, model, twins } = options;
  const notes: string[] = [];
  const interventions = arm.steer ? await steer({ ...options, steer: arm.steer, notes }) : [];
  const safe = term('model', { model, interventions });
  if (!arm.guide) return { name: arm.name, plan: compile(safe), notes };
  const { lambda, unsafe } = arm.guide.safeInfer;
  const twin = await twins.open(unsafe, model);
  const plan = compile(safeInferFormula(safe, term('unsafe', twin), { lambda }));
  notes.push(`lambda ${lambda}, unsafe twin: ${describe(unsafe)}`);
  return { name: arm.name, plan, notes };
}

async function steer(options: {
  readonly arm: ArmConfig;
  readonly steer: NonNullable<ArmConfig['steer']>;
  readonly model: Transformer;
  readonly vectors: VectorCache;
  readonly seed: number;
  readonly experimentFile: string;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
  readonly notes: string[];
}): Promise<readonly Intervention[]> {
  const { arm, model, experimentFile: relativeTo } = options;
  const { safe, compliant, layer, ...numbers } = options.steer.safetyAmplification;
  const build = (): Promise<SafetyAmplification> =>
    safetyAmplification({
      model,
      ...numbers,
      ...(layer === undefined ? {} : { layer }),
      safe: loadDemonstrations({ source: safe, behaviour: 'refuse', relativeTo }),
      ...(compliant === undefined
        ? {}
        : {
            compliant: loadDemonstrations({ source: compliant, behaviour: 'comply', relativeTo }),
          }),
      seed: options.seed,
      signal: options.signal,
      onProgress: ({ phase, done, total }) =>
        options.onProgress({ phase: `${arm.name}: ${phase}`, done, total }),
    });
  const key = JSON.stringify(options.steer);
  const pending = options.vectors.get(key) ?? build();
  options.vectors.set(key, pending);
  const built = await pending;
  const heads = built.heads.map(({ layer, head }) => `${layer}.${head}`).join(' ');
  options.notes.push(
    `vector of heads ${heads} at layer ${built.layer}, strength ${built.strength}`,
  );
  return built.interventions;
}

function describe(unsafe: NonNullable<ArmConfig['guide']>['safeInfer']['unsafe']): string {
  if ('adapter' in unsafe) return `adapter ${unsafe.adapter}`;
  if ('model' in unsafe) return `checkpoint ${unsafe.model}`;
  return 'the same model under a negative system prompt';
}
