// The bodies of OpenAI's chat/completions and completions requests: checked, and turned into options of a run.
import { SafeInferError } from '@safeinfer/backend';
import { z } from 'zod';
import type { JsonSchema } from '../grammar/check-schema.ts';
import type { ChatMessage } from '../plan/prompt.ts';
import type { GenerateOptions } from '../run/generate-options.ts';
import type { SamplingOptions } from '../sampling/sampling-options.ts';
import { DEFAULT_MAX_NEW_TOKENS, jsonMaskOf, promptOf, type ServedModel } from './served-model.ts';

const textPart = z.object({ type: z.literal('text'), text: z.string() });
const message = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: z.union([z.string(), z.array(textPart), z.null()]).optional(),
  name: z.string().optional(),
});
const penalty = z.number().min(-2).max(2).nullish();

/** Fields that change nothing here and that clients send anyway. */
const tolerated = {
  user: z.unknown().optional(),
  store: z.unknown().optional(),
  metadata: z.unknown().optional(),
  service_tier: z.unknown().optional(),
  parallel_tool_calls: z.unknown().optional(),
  safety_identifier: z.unknown().optional(),
  prompt_cache_key: z.unknown().optional(),
  verbosity: z.unknown().optional(),
};

/** What both endpoints take. */
const common = {
  model: z.string(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  logit_bias: z.record(z.string().regex(/^\d+$/), z.number().min(-100).max(100)).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  seed: z.number().int().nullish(),
  n: z.number().int().min(1).max(128).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  // The precedent of vLLM and llama.cpp.
  top_k: z.number().int().positive().nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  typical_p: z.number().gt(0).max(1).nullish(),
  repetition_penalty: z.number().positive().nullish(),
  /** Own options: sampling by its name in this package, and how terms run. */
  guided: z
    .strictObject({
      lazy: z.union([z.boolean(), z.literal('auto')]).optional(),
      speculate: z.union([z.number().int().positive(), z.literal('auto')]).optional(),
      attribution: z.enum(['none', 'chosen']).optional(),
      sampling: z.record(z.string(), z.unknown()).optional(),
    })
    .nullish(),
  /** Another guard of the same model: `model` up to its colon, and this. */
  guard: z.string().nullish(),
  ...tolerated,
};

const chatBody: z.ZodType<ChatBody> = z.strictObject({
  messages: z.array(message).min(1),
  max_tokens: z.number().int().positive().nullish(),
  max_completion_tokens: z.number().int().positive().nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  response_format: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('text') }),
      z.object({ type: z.literal('json_object') }),
      z.object({
        type: z.literal('json_schema'),
        json_schema: z.object({ schema: z.unknown() }).loose(),
      }),
    ])
    .nullish(),
  tools: z.array(z.unknown()).max(0, 'tools are not supported').nullish(),
  tool_choice: z.enum(['none', 'auto']).nullish(),
  ...common,
});

const tokenIds = z.array(z.number().int().nonnegative()).min(1);
/** More prompts than a harness sends in one request. */
const MAX_PROMPTS = 512;

const textBody: z.ZodType<TextBody> = z.strictObject({
  prompt: z.union([
    z.string(),
    tokenIds,
    z.array(z.string()).min(1).max(MAX_PROMPTS),
    z.array(tokenIds).min(1).max(MAX_PROMPTS),
  ]),
  max_tokens: z.number().int().nonnegative().nullish(),
  logprobs: z.number().int().min(0).max(20).nullish(),
  echo: z.boolean().nullish(),
  best_of: z.number().int().min(1).nullish(),
  suffix: z.null('suffix is not supported').optional(),
  ...common,
});

/** What both endpoints take; see OpenAI's reference for the meaning of each field. */
export interface CommonBody {
  readonly model: string;
  readonly guard?: string | null | undefined;
  readonly temperature?: number | null | undefined;
  readonly top_p?: number | null | undefined;
  readonly presence_penalty?: number | null | undefined;
  readonly frequency_penalty?: number | null | undefined;
  readonly logit_bias?: Readonly<Record<string, number>> | null | undefined;
  readonly stop?: string | readonly string[] | null | undefined;
  readonly seed?: number | null | undefined;
  readonly n?: number | null | undefined;
  readonly stream?: boolean | null | undefined;
  readonly stream_options?:
    | { readonly include_usage?: boolean | null | undefined }
    | null
    | undefined;
  readonly top_k?: number | null | undefined;
  readonly min_p?: number | null | undefined;
  readonly typical_p?: number | null | undefined;
  readonly repetition_penalty?: number | null | undefined;
  readonly guided?:
    | {
        readonly lazy?: boolean | 'auto' | undefined;
        readonly speculate?: number | 'auto' | undefined;
        readonly attribution?: 'none' | 'chosen' | undefined;
        readonly sampling?: Readonly<Record<string, unknown>> | undefined;
      }
    | null
    | undefined;
}

/** A checked body of chat/completions. */
export interface ChatBody extends CommonBody {
  readonly messages: readonly {
    readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
    readonly content?: string | readonly { readonly text: string }[] | null | undefined;
  }[];
  readonly max_tokens?: number | null | undefined;
  readonly max_completion_tokens?: number | null | undefined;
  readonly logprobs?: boolean | null | undefined;
  readonly top_logprobs?: number | null | undefined;
  readonly response_format?:
    | { readonly type: 'text' | 'json_object' }
    | { readonly type: 'json_schema'; readonly json_schema: { readonly schema?: unknown } }
    | null
    | undefined;
}

/** A checked body of completions. */
export interface TextBody extends CommonBody {
  readonly prompt: string | readonly number[] | readonly string[] | readonly (readonly number[])[];
  readonly max_tokens?: number | null | undefined;
  /** Alternatives per token. */
  readonly logprobs?: number | null | undefined;
  readonly echo?: boolean | null | undefined;
  readonly best_of?: number | null | undefined;
  readonly suffix?: null | undefined;
}

/** An error with what OpenAI's clients show. */
export class RequestProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly param: string | null;

  constructor(
    message: string,
    options: { status?: number; code?: string; param?: string | null } = {},
  ) {
    super(message);
    this.status = options.status ?? 400;
    this.code = options.code ?? 'invalid_value';
    this.param = options.param ?? null;
  }
}

/** @throws RequestProblem naming the first field that is wrong. */
export function parseChatBody(value: unknown): ChatBody {
  const data = parse(chatBody, value);
  if (typeof data.top_logprobs === 'number' && data.logprobs !== true) {
    throw new RequestProblem('top_logprobs needs logprobs: true', { param: 'top_logprobs' });
  }
  return data;
}

/** @throws RequestProblem naming the first field that is wrong. */
export function parseTextBody(value: unknown): TextBody {
  const data = parse(textBody, value);
  const { n, best_of: best, max_tokens: limit, echo } = data;
  if (typeof best === 'number' && best !== (n ?? 1)) {
    throw new RequestProblem('best_of other than n is not supported', { param: 'best_of' });
  }
  if (limit === 0 && echo !== true) {
    throw new RequestProblem('max_tokens: 0 gives something only with echo', {
      param: 'max_tokens',
    });
  }
  return data;
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const param = unknown ?? issue?.path.join('.') ?? null;
  throw new RequestProblem(
    unknown === undefined ? `${param}: ${issue?.message}` : `unknown parameter "${unknown}"`,
    {
      param,
      code: unknown === undefined ? 'invalid_value' : 'unknown_parameter',
    },
  );
}

function toMessages(messages: ChatBody['messages']): readonly ChatMessage[] {
  return messages.map(({ role, content }) => ({
    // Newer clients write "developer" for what chat templates call "system".
    role: role === 'developer' ? 'system' : role,
    content:
      typeof content === 'string' ? content : (content ?? []).map((part) => part.text).join(''),
  }));
}

function samplingOf(request: CommonBody, defaults: SamplingOptions | undefined): SamplingOptions {
  const named: Readonly<Record<string, unknown>> = {
    temperature: request.temperature,
    topP: request.top_p,
    topK: request.top_k,
    minP: request.min_p,
    typicalP: request.typical_p,
    repetitionPenalty: request.repetition_penalty,
    presencePenalty: request.presence_penalty,
    frequencyPenalty: request.frequency_penalty,
    logitBias: request.logit_bias,
  };
  const given = Object.entries(named).filter(([, value]) => value !== undefined && value !== null);
  // OpenAI's default temperature is 1; a service that wants greedy answers sets its own default.
  return {
    temperature: 1,
    ...defaults,
    ...request.guided?.sampling,
    ...Object.fromEntries(given),
  } as SamplingOptions;
}

async function grammarOf(
  request: ChatBody,
  served: ServedModel,
): Promise<Partial<GenerateOptions>> {
  const format = request.response_format;
  if (format?.type === 'json_object') return { grammar: await jsonMaskOf(served.plan) };
  if (format?.type !== 'json_schema') return {};
  return { grammar: await jsonMaskOf(served.plan, format.json_schema.schema as JsonSchema) };
}

/** What a run gets besides the request: a seed for requests without one, and the way to stop it. */
export interface RunContext {
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** Options that both endpoints have. */
function commonOptions(
  request: CommonBody,
  served: ServedModel,
  run: RunContext,
): Omit<GenerateOptions, 'prompts'> {
  const { guided } = request;
  const stop = request.stop == null ? undefined : [request.stop].flat();
  return {
    maxNewTokens: DEFAULT_MAX_NEW_TOKENS,
    ...served.defaults,
    plan: served.plan,
    sampling: samplingOf(request, served.defaults?.sampling),
    seed: request.seed ?? run.seed,
    signal: run.signal,
    attribution: guided?.attribution ?? 'none',
    ...(request.n == null ? {} : { n: request.n }),
    ...(stop === undefined ? {} : { stop }),
    ...(guided?.lazy === undefined ? {} : { lazy: guided.lazy }),
    ...(guided?.speculate === undefined ? {} : { speculate: guided.speculate }),
  };
}

/** Options of the run of a chat request. */
export async function chatOptions(
  request: ChatBody,
  served: ServedModel,
  run: RunContext,
): Promise<GenerateOptions> {
  const limit = request.max_completion_tokens ?? request.max_tokens;
  try {
    return {
      ...commonOptions(request, served, run),
      prompts: [promptOf(served, toMessages(request.messages))],
      ...(limit == null ? {} : { maxNewTokens: limit }),
      ...(request.logprobs === true ? { logprobs: request.top_logprobs ?? 0 } : {}),
      ...(await grammarOf(request, served)),
    };
  } catch (error) {
    if (SafeInferError.isInstance(error) && error.code === 'UNSUPPORTED') {
      throw new RequestProblem(`${error.message}: ${error.hint}`, { param: 'response_format' });
    }
    throw error;
  }
}

/** OpenAI's default for completions. */
const DEFAULT_COMPLETION_TOKENS = 16;

/** Prompts of a completions request, one entry a prompt. */
export function textPrompts({ prompt }: TextBody): readonly (string | readonly number[])[] {
  if (typeof prompt === 'string') return [prompt];
  return typeof prompt[0] === 'number'
    ? [prompt as readonly number[]]
    : (prompt as readonly (string | readonly number[])[]);
}

/** Options of the run of a completions request; texts are not rendered as chat. */
export function textOptions(
  request: TextBody,
  served: ServedModel,
  run: RunContext,
): GenerateOptions {
  const limit = request.max_tokens ?? served.defaults?.maxNewTokens ?? DEFAULT_COMPLETION_TOKENS;
  return {
    ...commonOptions(request, served, run),
    prompts: textPrompts(request),
    // With `max_tokens: 0` nothing runs; the other checks hold all the same.
    maxNewTokens: Math.max(1, limit),
    ...(request.logprobs == null ? {} : { logprobs: request.logprobs }),
  };
}
