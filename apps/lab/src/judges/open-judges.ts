// Judges by name: refusal lists, and judge prompts answered by an endpoint or a local model; verdicts go to the store.
import {
  endpointGenerate,
  type Generate,
  HarmEvalError,
  promptJudge,
  promptJudgeSpecs,
  refusalJudge,
  refusalLists,
  withVerdictCache,
} from '@safeinfer/harmeval';
import { nearestName } from '../config/nearest-name.ts';
import { openModel } from '../model/open-model.ts';
import type { Store } from '../store/open-store.ts';
import type { NamedJudge } from './judge-records.ts';
import { JUDGE_TOKENS, judgeGenerate, localJudge, verdictCache } from './local-judge.ts';
import { pocketRefusals } from './pocket-refusals.ts';

export interface JudgeSource {
  /** OpenAI-compatible address, up to and without /chat/completions. */
  readonly endpoint?: string | undefined;
  readonly endpointModel?: string | undefined;
  readonly apiKey?: string | undefined;
  readonly concurrency?: number | undefined;
  /** A local model instead. */
  readonly judgeModel?: string | undefined;
}

export interface OpenJudges extends Disposable {
  readonly judges: readonly NamedJudge[];
}

/** Rows of one forward pass of a local judge. */
const BATCH = 16;

/** @throws BAD_ARGUMENT for unknown names and judge prompts that nobody answers, before anything is asked */
export async function openNamedJudges(options: {
  readonly names: readonly string[];
  readonly source: JudgeSource;
  readonly store: Store;
  readonly signal: AbortSignal;
}): Promise<OpenJudges> {
  const { names, source, store, signal } = options;
  const needsModel = names.map(requireJudge).includes('prompt');
  if (needsModel && source.endpoint === undefined && source.judgeModel === undefined) {
    throw new HarmEvalError('a judge prompt needs a model that answers it', {
      code: 'BAD_ARGUMENT',
      hint: 'add --endpoint and --endpoint-model, or --judge-model',
    });
  }
  const answering = needsModel ? await answeringModel(source, store, signal) : undefined;
  const cache = verdictCache(store);
  return {
    judges: names.map((name): NamedJudge => {
      if (requireJudge(name) === 'list') {
        const judge = refusalJudge(name === pocketRefusals.name ? pocketRefusals : name);
        return { name: judge.id, judge };
      }
      const { generate, label, local } = answering!;
      const spec = promptJudgeSpecs[name]!;
      const judge = local ? localJudge(spec, generate) : promptJudge(spec, generate);
      return { name: `${judge.id}@${label}`, judge: withVerdictCache(judge, cache) };
    }),
    [Symbol.dispose]: () => answering?.[Symbol.dispose](),
  };
}

export function judgeNames(): string[] {
  return [pocketRefusals.name, ...Object.keys(refusalLists), ...Object.keys(promptJudgeSpecs)];
}

function requireJudge(name: string): 'list' | 'prompt' {
  if (name === pocketRefusals.name || Object.hasOwn(refusalLists, name)) return 'list';
  if (Object.hasOwn(promptJudgeSpecs, name)) return 'prompt';
  const near = nearestName(name, judgeNames());
  throw new HarmEvalError(`no judge "${name}"`, {
    code: 'BAD_ARGUMENT',
    hint: `${near === undefined ? '' : `did you mean "${near}"? `}use one of: ${judgeNames().join(', ')}`,
  });
}

interface Answering extends Disposable {
  readonly generate: Generate;
  readonly label: string;
  readonly local: boolean;
}

async function answeringModel(
  source: JudgeSource,
  store: Store,
  signal: AbortSignal,
): Promise<Answering> {
  const { endpoint, endpointModel, apiKey, concurrency, judgeModel } = source;
  if (endpoint !== undefined) {
    if (endpointModel === undefined) {
      throw new HarmEvalError('--endpoint without --endpoint-model', {
        code: 'BAD_ARGUMENT',
        hint: 'name the model as the endpoint calls it',
      });
    }
    if (!URL.canParse(endpoint)) {
      throw new HarmEvalError(`"${endpoint}" is no address`, {
        code: 'BAD_ARGUMENT',
        hint: 'an endpoint looks like http://127.0.0.1:8000/v1',
      });
    }
    const generate = endpointGenerate({
      baseUrl: endpoint,
      model: endpointModel,
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(concurrency === undefined ? {} : { concurrency }),
    });
    return { generate, label: endpointModel, local: false, [Symbol.dispose]: () => undefined };
  }
  const opened = await openModel({ name: judgeModel!, store, signal });
  const generate = judgeGenerate({
    model: opened.model,
    maxNewTokens: JUDGE_TOKENS,
    batchSize: BATCH,
    fingerprint: opened.sha256,
  });
  return {
    generate,
    label: opened.name.split(/[\\/]/).filter(Boolean).at(-1) ?? opened.name,
    local: true,
    [Symbol.dispose]: () => opened[Symbol.dispose](),
  };
}
