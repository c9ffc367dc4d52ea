// One arm as a guided-sampler plan: the plain model, steered, guided, or both.
import { compile, type Plan, safeInferFormula, term } from '@safeinfer/guided-sampler';
import { type Demonstration, safetyAmplification } from '@safeinfer/steering';
import type { Intervention, Transformer } from '@safeinfer/transformer';
import type { ArmConfig } from '../config/experiment-schema.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { Store } from '../store/open-store.ts';
import { storedVector } from '../store/stored-vector.ts';
import type { ArmDemonstrations } from './demonstrations.ts';
import type { UnsafeTwins } from './unsafe-twins.ts';

export interface BuiltArm {
  readonly name: string;
  readonly plan: Plan;
  /** What was built for it, for the report. */
  readonly notes: readonly string[];
}

/** Builds the arm's vector on the model as it is now (edited or not) and compiles its formula. */
export async function buildArm(options: {
  readonly arm: ArmConfig;
  readonly model: Transformer;
  readonly twins: UnsafeTwins;
  readonly demonstrations: ArmDemonstrations | undefined;
  /** What decides a vector besides the arm's own settings: the model, its edits, the backend. */
  readonly modelIdentity: unknown;
  readonly store: Store | undefined;
  readonly seed: number;
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
  readonly demonstrations: ArmDemonstrations | undefined;
  readonly modelIdentity: unknown;
  readonly store: Store | undefined;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
  readonly notes: string[];
}): Promise<readonly Intervention[]> {
  const { arm, model, modelIdentity, seed, store, demonstrations } = options;
  const { safe: _, compliant: __, layer, strength, ...numbers } = options.steer.safetyAmplification;
  const safe: readonly Demonstration[] = demonstrations?.safe ?? [];
  const compliant = demonstrations?.compliant;
  const built = await storedVector({
    identity: { modelIdentity, seed, layer, ...numbers, safe, compliant },
    strength,
    store,
    build: () =>
      safetyAmplification({
        model,
        ...numbers,
        strength,
        ...(layer === undefined ? {} : { layer }),
        safe,
        ...(compliant === undefined ? {} : { compliant }),
        seed,
        signal: options.signal,
        onProgress: ({ phase, done, total }) =>
          options.onProgress({ phase: `${arm.name}: ${phase}`, done, total }),
      }),
  });
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
