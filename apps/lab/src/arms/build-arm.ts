// One arm as a guided-sampler plan: the plain model, steered, guided, or both.
import { compile, type Plan, type TermSpec, term } from '@safeinfer/guided-sampler';
import type { Transformer } from '@safeinfer/transformer';
import type { ArmConfig } from '../config/experiment-schema.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { Store } from '../store/open-store.ts';
import type { BuiltVector } from '../store/stored-vector.ts';
import type { ArmDemonstrations } from './demonstrations.ts';
import { guideArm } from './guide-arm.ts';
import { type SteeredArm, steerArm } from './steer-arm.ts';
import type { TermSources } from './term-sources.ts';
import { OWN_TERM } from './token-trace.ts';

export interface BuiltArm {
  readonly name: string;
  readonly plan: Plan;
  /** Whether its own model is steered. */
  readonly steered: boolean;
  /** What was built for it, for the report. */
  readonly notes: readonly string[];
  /** Its safety vector, with every head's effect. */
  readonly vector?: BuiltVector;
  /** Keys of what was stored for it. */
  readonly keys: readonly string[];
}

/** Builds the arm's vector on the model as it is now (edited or not) and compiles its formula. */
export async function buildArm(options: {
  readonly arm: ArmConfig;
  readonly model: Transformer;
  readonly sources: TermSources;
  readonly demonstrations: ArmDemonstrations | undefined;
  /** What decides a vector besides the arm's own settings: the model, its edits, the backend. */
  readonly modelIdentity: unknown;
  readonly experimentFile: string;
  readonly store: Store | undefined;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}): Promise<BuiltArm> {
  const { arm, model, sources } = options;
  const { name, steer, guide } = arm;
  const steered: SteeredArm = steer
    ? await steerArm({ ...options, steer, arm: name })
    : { interventions: [], notes: [], keys: [] };
  const { interventions, notes, keys, vector } = steered;
  const own: TermSpec = { model, interventions };
  const built = {
    name,
    keys,
    steered: interventions.length > 0,
    ...(vector === undefined ? {} : { vector }),
  };
  if (!guide) return { ...built, plan: compile(term(OWN_TERM, own)), notes };
  const { formula, note } = await guideArm({
    guide,
    own,
    open: (source) => sources.open(source, model),
  });
  return { ...built, plan: compile(formula), notes: [...notes, note] };
}
