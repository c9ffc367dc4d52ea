// The judges of an experiment, ready to judge: refusal lists, and judge prompts answered by local models.
import {
  HarmEvalError,
  type Judge,
  promptJudgeSpecs,
  refusalJudge,
  refusalLists,
  withVerdictCache,
} from '@safeinfer/harmeval';
import type { Experiment, JudgeConfig } from '../config/experiment-schema.ts';
import { nearestName } from '../config/nearest-name.ts';
import { JUDGE_TOKENS, judgeGenerate, localJudge, verdictCache } from '../judges/local-judge.ts';
import { pocketRefusals } from '../judges/pocket-refusals.ts';
import { type OpenModel, openModel } from '../model/open-model.ts';
import type { Store } from '../store/open-store.ts';

export interface ExperimentJudges extends Disposable {
  /** The first is the primary one. */
  readonly judges: readonly Judge[];
}

export function judgeConfigs({ judge, judges }: Experiment): readonly JudgeConfig[] {
  return judges ?? [judge];
}

/** @throws BAD_ARGUMENT for unknown names; without opening a model. */
export function checkJudges(experiment: Experiment): void {
  for (const config of judgeConfigs(experiment)) {
    if (typeof config === 'string') refusalJudge(refusalListOf(config));
    else specOf(config.prompt);
  }
}

/** Verdicts of models are stored: changing a judge asks that judge again and generates nothing. */
export async function openJudges(options: {
  readonly experiment: Experiment;
  /** The model under test, which may judge as well. */
  readonly opened: OpenModel;
  readonly store: Store;
  readonly signal: AbortSignal;
}): Promise<ExperimentJudges> {
  const { experiment, opened, store, signal } = options;
  const models = new Map<string, OpenModel>([[opened.name, opened]]);
  const own: OpenModel[] = [];
  const dispose = (): void => {
    for (const model of own) model[Symbol.dispose]();
    own.length = 0;
  };
  try {
    const judges: Judge[] = [];
    for (const config of judgeConfigs(experiment)) {
      if (typeof config === 'string') {
        judges.push(refusalJudge(refusalListOf(config)));
        continue;
      }
      let model = models.get(config.model);
      if (!model) {
        model = await openModel({ name: config.model, store, signal });
        models.set(config.model, model);
        own.push(model);
      }
      const generate = judgeGenerate({
        model: model.model,
        maxNewTokens: JUDGE_TOKENS,
        batchSize: experiment.batchSize,
        fingerprint: model.sha256,
      });
      const judge = localJudge(specOf(config.prompt), generate);
      judges.push(withVerdictCache(judge, verdictCache(store)));
    }
    return { judges, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function refusalListOf(name: string): typeof pocketRefusals | string {
  if (name === pocketRefusals.name) return pocketRefusals;
  if (Object.hasOwn(refusalLists, name)) return name;
  const names = [pocketRefusals.name, ...Object.keys(refusalLists)];
  const near = nearestName(name, names);
  throw new HarmEvalError(`no judge "${name}"`, {
    code: 'BAD_ARGUMENT',
    hint: `${near === undefined ? '' : `did you mean "${near}"? `}refusal lists: ${names.join(', ')}; a judge prompt is { prompt: ${Object.keys(promptJudgeSpecs)[0]}, model: <path> }`,
  });
}

function specOf(name: string): (typeof promptJudgeSpecs)[string] {
  const spec = Object.hasOwn(promptJudgeSpecs, name) ? promptJudgeSpecs[name] : undefined;
  if (spec) return spec;
  const names = Object.keys(promptJudgeSpecs);
  const near = nearestName(name, names);
  throw new HarmEvalError(`no judge prompt "${name}"`, {
    code: 'BAD_ARGUMENT',
    hint: `${near === undefined ? '' : `did you mean "${near}"? `}use one of: ${names.join(', ')}`,
  });
}
