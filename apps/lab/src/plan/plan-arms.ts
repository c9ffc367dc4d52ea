// Edits and arms of an experiment, with everything that decides an answer besides its prompt; no model, no benchmark.
import { SafeInferError } from '@safeinfer/backend';
import { deriveSeed } from '@safeinfer/harmeval';
import { readBeside, sha256Of } from '../arms/arm-files.ts';
import { armIdentity, isGreedy } from '../arms/arm-identity.ts';
import { type ArmDemonstrations, armDemonstrations } from '../arms/demonstrations.ts';
import { guideSources } from '../arms/guide-arm.ts';
import type { TermSources } from '../arms/term-sources.ts';
import { version } from '../cli/version.ts';
import type { ArmConfig, Experiment } from '../config/experiment-schema.ts';
import type { SamplingConfig } from '../config/sampling-schema.ts';
import { type EditPlan, planEdit } from '../edits/plan-edit.ts';
import type { AnswerContext } from '../store/answer-key.ts';

export interface PlannedArm {
  readonly arm: ArmConfig;
  readonly demonstrations: ArmDemonstrations | undefined;
  readonly sampling: SamplingConfig;
  /** Answers an item. */
  readonly repeats: number;
  /** Hashes of the files that the arm reads. */
  readonly files: unknown;
}

export interface ArmPlan {
  readonly experiment: Experiment;
  readonly experimentFile: string;
  readonly edits: readonly EditPlan[];
  readonly arms: readonly PlannedArm[];
  /** What decides an edit besides its own settings. */
  readonly baseIdentity: unknown;
  /** What decides a vector besides its own settings: the base, edited. */
  modelIdentity(edit: number): unknown;
  contextOf(edit: number, arm: number, repeat: number): AnswerContext;
}

export async function planArms(options: {
  readonly experiment: Experiment;
  readonly experimentFile: string;
  readonly modelSha256: string;
  readonly backend: string;
  readonly sources: TermSources;
}): Promise<ArmPlan> {
  const { experiment, experimentFile, modelSha256, backend, sources } = options;
  const edits: EditPlan[] = [];
  for (const edit of experiment.edits)
    edits.push(...(await planEdit({ edit, model: experiment.model, experimentFile })));
  const arms = await Promise.all(
    experiment.arms.map(async (arm): Promise<PlannedArm> => {
      const sampling = { ...experiment.sampling, ...arm.sampling };
      const repeats = sampling.n ?? 1;
      if (repeats > 1 && isGreedy(sampling)) {
        throw new SafeInferError(
          `arm "${arm.name}" asks for ${repeats} answers an item without chance`,
          { code: 'BAD_ARGUMENT', hint: 'give sampling a temperature, or n: 1' },
        );
      }
      return {
        arm,
        demonstrations: armDemonstrations(arm, experimentFile),
        sampling,
        repeats,
        files: await filesOf(arm, experimentFile, sources),
      };
    }),
  );
  const baseIdentity = { model: modelSha256, backend, version };
  const editIdentity = (edit: number): unknown => {
    const { editor, requests } = edits[edit]!;
    if (!editor) return null;
    const { identity, control = null } = editor;
    // An id is a label.
    return { identity, control, requests: requests.map(({ id: _, ...rest }) => rest) };
  };
  const modelIdentity = (edit: number): unknown => ({ ...baseIdentity, edit: editIdentity(edit) });
  const contextOf = (edit: number, arm: number, repeat: number): AnswerContext => {
    const planned = arms[arm]!;
    const { sampling } = planned;
    const parts = {
      modelSha256,
      backend,
      edit: editIdentity(edit),
      arm: planned.arm,
      demonstrations: planned.demonstrations,
      files: planned.files,
      sampling,
      seed: experiment.seed,
      version,
    };
    const tokens = armIdentity({ ...parts, record: 'tokens' });
    const draws = { draws: sampling.seed ?? experiment.seed, repeat };
    return {
      // An answer with tokens serves a run that asks for text only; never the other way round.
      identities:
        experiment.record === 'tokens'
          ? [tokens]
          : [armIdentity({ ...parts, record: 'text' }), tokens],
      maxNewTokens: experiment.maxNewTokens,
      seed: isGreedy(sampling) ? null : deriveSeed(draws),
    };
  };
  return { experiment, experimentFile, edits, arms, baseIdentity, modelIdentity, contextOf };
}

async function filesOf(
  { steer, guide }: ArmConfig,
  experimentFile: string,
  sources: TermSources,
): Promise<unknown> {
  const path = steer?.vector?.path ?? steer?.safetyArithmetic?.path;
  const named = guide ? guideSources(guide) : [];
  return {
    ...(path === undefined
      ? {}
      : { vector: sha256Of(readBeside(path, experimentFile, 'the vector')) }),
    ...(named.length === 0
      ? {}
      : { sources: await Promise.all(named.map((source) => sources.identity(source))) }),
  };
}
