// An edit of an experiment, known before a model is loaded: its facts, its settings, and what decides its result.
import { SafeInferError } from '@safeinfer/backend';
import { checkRequest, type EditRequest, readCases } from '@safeinfer/editing';
import { besideExperiment } from '../arms/arm-files.ts';
import {
  type EditConfig,
  type EditorConfig,
  type EditorName,
  editorOf,
} from '../config/edit-schema.ts';
import { pocketCases, withId } from '../edit/edit-cases.ts';
import { type EditMethodName, METHOD_NEEDS } from '../edit/edit-choice.ts';
import { type EditSettings, editSettings } from '../edit/edit-settings.ts';
import { hashFile } from '../model/hash-files.ts';
import { spread } from '../trace/trace-prompts.ts';
import { namingEdit } from './naming-edit.ts';

export interface EditPlan {
  readonly name: string;
  readonly requests: readonly EditRequest[];
  /** Undefined for the unedited model. */
  readonly editor: PlannedEditor | undefined;
  /** Of an edit whose facts are written each alone: which one this is. */
  readonly fact?: { readonly index: number; readonly name: string };
}

export interface PlannedEditor {
  readonly settings: EditSettings;
  readonly contexts: 'sampled' | 'bare';
  /** Facts a call. */
  readonly batch: number;
  readonly control: 'random' | 'randomRankOne' | undefined;
  /** Everything but the requests that decides the edit; the control, which comes after it, is not in it. */
  readonly identity: unknown;
}

const METHODS: Readonly<Record<EditorName, EditMethodName>> = {
  rome: 'rome',
  memit: 'memit',
  emmet: 'emmet',
  pmet: 'pmet',
  alphaEdit: 'alphaEdit',
  ftM: 'ft-m',
  ftL: 'ft-l',
};

/**
 * What an edit makes of the model: one state, or one for each fact that is written alone.
 * @throws what is wrong with settings, facts and files, naming the edit
 */
export async function planEdit(options: {
  readonly edit: EditConfig;
  readonly model: string;
  readonly experimentFile: string;
}): Promise<readonly EditPlan[]> {
  const { edit } = options;
  const found = editorOf(edit);
  if (!found) return [{ name: edit.name, requests: [], editor: undefined }];
  return await namingEdit(edit.name, () => planned({ ...options, ...found }));
}

async function planned(options: {
  readonly edit: EditConfig;
  readonly editor: EditorName;
  readonly config: EditorConfig;
  readonly model: string;
  readonly experimentFile: string;
}): Promise<EditPlan[]> {
  const { edit, editor, config, model, experimentFile } = options;
  const beside = (path: string | undefined): string | undefined =>
    path === undefined || path === 'identity' ? path : besideExperiment(path, experimentFile);
  const { layer, layers = layer === undefined ? undefined : [layer] } = config;
  const requests = await requestsOf(config, experimentFile);
  for (const request of requests) checkRequest(request);
  const settings = editSettings({
    method: METHODS[editor],
    model,
    facts: config.apply === 'eachAlone' ? 1 : requests.length,
    preset: config.preset,
    layers,
    factToken: config.factToken,
    keys: config.keys,
    numbers: numbersOf(config),
    moments: beside(config.moments),
    collect: beside(config.collect),
    words: 'file',
  });
  const { source: _, statistics, ...decisive } = settings;
  const { contexts = 'bare', control } = config;
  const file = 'path' in statistics ? await fileIdentity(statistics.path) : undefined;
  const oneFact = METHOD_NEEDS[settings.method].oneFact;
  const of = (list: readonly EditRequest[]): Omit<EditPlan, 'fact'> => {
    const batch = oneFact ? 1 : Math.min(config.batch ?? list.length, list.length);
    const identity = {
      ...decisive,
      statistics: { from: statistics.from, ...(file === undefined ? {} : { file }) },
      contexts,
      batch,
    };
    return {
      name: edit.name,
      requests: list,
      editor: { settings, contexts, batch, control, identity },
    };
  };
  if (config.apply !== 'eachAlone') return [of(requests)];
  // The same identity as an edit of this one fact: answers are shared, whatever stands beside it.
  return requests.map((request, index) => ({
    ...of([request]),
    fact: { index, name: nameOf(request) },
  }));
}

function numbersOf(config: EditorConfig): Parameters<typeof editSettings>[0]['numbers'] {
  const { learningRate, steps, clampFactor, weightDecay, klFactor, stopLoss, lambda } = config;
  const { nllFactor, momentScale, damp, l2, nullSpaceThreshold, epsilon } = config;
  return {
    ...{ learningRate, steps, clampFactor, weightDecay, klFactor, stopLoss, lambda },
    ...{ nllFactor, momentScale, damp, l2, nullSpaceThreshold, epsilon },
  };
}

async function fileIdentity(path: string): Promise<string> {
  try {
    return await hashFile(path);
  } catch (cause) {
    throw new SafeInferError(`cannot read the statistics: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: 'paths in an experiment are relative to the experiment file',
      cause,
    });
  }
}

/** @throws NOT_FOUND, BAD_DATASET, BAD_ARGUMENT */
async function requestsOf(config: EditorConfig, experimentFile: string): Promise<EditRequest[]> {
  const { facts, only, pick } = config;
  const all =
    facts === 'pocket'
      ? pocketCases()
      : await readCases(
          besideExperiment(facts.path, experimentFile),
          facts.zsreTarget === undefined ? {} : { zsreTarget: facts.zsreTarget },
        );
  const named = only === undefined ? all : only.map((id) => withId(all, id));
  const { count = only === undefined ? 1 : named.length } = config;
  if (count > named.length) {
    throw new SafeInferError(`there are ${named.length} facts, and count asks for ${count}`, {
      code: 'BAD_ARGUMENT',
      hint: `give a count up to ${named.length}`,
    });
  }
  const chosen = pick === 'spread' ? spread(named, count) : named.slice(0, count);
  return chosen.map(({ id, request }) => ({ ...request, id }));
}

/** Rows without an id are numbered by their file: the subject says more. */
function nameOf({ id, subject }: EditRequest): string {
  return id === undefined || /^\d+$/.test(id) ? [subject, ...[id ?? []].flat()].join(' ') : id;
}
