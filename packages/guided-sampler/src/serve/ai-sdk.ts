// An AI SDK language model over a plan: text in, text out, with every term's part in each token as metadata.
import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3FinishReason,
  LanguageModelV3Prompt,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
  SharedV3ProviderMetadata,
  SharedV3Warning,
} from '@ai-sdk/provider';
import { SafeInferError } from '@safeinfer/backend';
import type { JsonSchema } from '../grammar/check-schema.ts';
import type { ChatMessage } from '../plan/prompt.ts';
import type { FinishEvent, FinishReason, StepEvent, TokenEvent } from '../run/events.ts';
import { stream } from '../run/generate.ts';
import { checkRequest, type GenerateOptions } from '../run/generate-options.ts';
import type { SamplingOptions } from '../sampling/sampling-options.ts';
import { DEFAULT_MAX_NEW_TOKENS, jsonMaskOf, promptOf, type ServedModel } from './served-model.ts';

export interface LanguageModelOptions extends ServedModel {
  /** Default 'guided-sampler'. */
  readonly modelId?: string;
}

/** The same object under the label of the SDK's fourth specification: what a text model does is the same in both. */
export type LanguageModelV4Text = Omit<LanguageModelV3, 'specificationVersion'> & {
  readonly specificationVersion: 'v4';
};

/** Everything of a run that the SDK has no name for goes here. */
const NAMESPACE = 'guidedSampler';
/** Fields of `providerOptions.guidedSampler` that are not sampling options. */
const RUN_OPTIONS = [
  'lazy',
  'speculate',
  'logprobs',
  'attribution',
  'ignoreEos',
  'stopTokens',
] as const;

/** Messages of the SDK as plain text messages. @throws UNSUPPORTED for files, images and tool traffic. */
function toMessages(prompt: LanguageModelV3Prompt): readonly ChatMessage[] {
  return prompt.map(({ role, content }): ChatMessage => {
    if (typeof content === 'string') return { role, content };
    const texts = content.map((part) => {
      if (part.type === 'text') return part.text;
      if (part.type === 'reasoning') return '';
      throw new SafeInferError(`a "${part.type}" part in the ${role} message`, {
        code: 'UNSUPPORTED',
        hint: 'these models read text only',
      });
    });
    return { role, content: texts.join('') };
  });
}

async function toRequest(
  served: LanguageModelOptions,
  call: LanguageModelV3CallOptions,
): Promise<{ readonly options: GenerateOptions; readonly warnings: SharedV3Warning[] }> {
  const warnings: SharedV3Warning[] = [];
  const unsupported = (feature: string, details: string): void => {
    warnings.push({ type: 'unsupported', feature, details });
  };
  if (call.tools !== undefined && call.tools.length > 0)
    unsupported('tools', 'the model answers in text');
  if (
    call.toolChoice !== undefined &&
    call.toolChoice.type !== 'auto' &&
    call.toolChoice.type !== 'none'
  ) {
    unsupported('toolChoice', 'the model answers in text');
  }
  const { reasoning } = call as { readonly reasoning?: string };
  if (reasoning !== undefined && reasoning !== 'provider-default' && reasoning !== 'none')
    unsupported('reasoning', 'the model answers in text');
  const { plan, defaults } = served;
  const own = { ...call.providerOptions?.[NAMESPACE] };
  const run: Record<string, unknown> = {};
  for (const name of RUN_OPTIONS) {
    if (own[name] !== undefined) run[name] = own[name];
    delete own[name];
  }
  // What is left are sampling options; unknown names are refused when the request is checked.
  const sampling: Record<string, unknown> = { ...defaults?.sampling, ...own };
  for (const name of [
    'temperature',
    'topP',
    'topK',
    'presencePenalty',
    'frequencyPenalty',
  ] as const) {
    if (call[name] !== undefined) sampling[name] = call[name];
  }
  const format = call.responseFormat;
  const grammar =
    format?.type === 'json'
      ? await jsonMaskOf(plan, format.schema as JsonSchema | undefined)
      : undefined;
  const options: GenerateOptions = {
    maxNewTokens: DEFAULT_MAX_NEW_TOKENS,
    ...defaults,
    plan,
    prompts: [promptOf(served, toMessages(call.prompt))],
    sampling: sampling as SamplingOptions,
    ...(call.maxOutputTokens === undefined ? {} : { maxNewTokens: call.maxOutputTokens }),
    ...(call.seed === undefined ? {} : { seed: call.seed }),
    ...(call.stopSequences === undefined ? {} : { stop: call.stopSequences }),
    ...(grammar === undefined ? {} : { grammar }),
    ...run,
    ...(call.abortSignal === undefined ? {} : { signal: call.abortSignal }),
  };
  return { options, warnings };
}

function finishReason(reason: FinishReason, detail: string): LanguageModelV3FinishReason {
  return { unified: reason === 'abort' ? 'other' : reason, raw: detail };
}

function usageOf({ usage }: FinishEvent): LanguageModelV3Usage {
  const { promptTokens, completionTokens } = usage;
  return {
    inputTokens: {
      total: promptTokens,
      noCache: promptTokens,
      cacheRead: 0,
      cacheWrite: undefined,
    },
    outputTokens: { total: completionTokens, text: completionTokens, reasoning: 0 },
  };
}

function tokenMetadata(events: readonly TokenEvent[]): SharedV3ProviderMetadata {
  const tokens = events.map(({ step, token, logprob, terms, top }) => ({
    step,
    token,
    logprob,
    terms,
    top,
  }));
  // Through JSON: undefined fields vanish, the rest is plain data.
  return { [NAMESPACE]: { tokens: JSON.parse(JSON.stringify(tokens)) } };
}

function finishMetadata({ stats }: FinishEvent): SharedV3ProviderMetadata {
  return { [NAMESPACE]: { stats: JSON.parse(JSON.stringify(stats)) } };
}

function abortError(signal: AbortSignal | undefined): unknown {
  const reason: unknown = signal?.reason;
  return reason instanceof Error
    ? reason
    : new DOMException('the request was aborted', 'AbortError');
}

/** Parts of one answer, in the order the SDK expects. */
async function* parts(
  events: AsyncIterable<StepEvent>,
  start: {
    readonly warnings: SharedV3Warning[];
    readonly modelId: string;
    readonly signal: AbortSignal | undefined;
  },
): AsyncGenerator<LanguageModelV3StreamPart> {
  yield { type: 'stream-start', warnings: start.warnings };
  yield { type: 'response-metadata', modelId: start.modelId };
  const id = '0';
  yield { type: 'text-start', id };
  let waiting: TokenEvent[] = [];
  for await (const event of events) {
    if (event.type === 'token') waiting.push(event);
    if (event.text !== '') {
      yield { type: 'text-delta', id, delta: event.text, providerMetadata: tokenMetadata(waiting) };
      waiting = [];
    }
    if (event.type === 'token') continue;
    if (event.reason === 'abort') throw abortError(start.signal);
    yield { type: 'text-end', id, providerMetadata: tokenMetadata(waiting) };
    yield {
      type: 'finish',
      finishReason: finishReason(event.reason, event.detail),
      usage: usageOf(event),
      providerMetadata: finishMetadata(event),
    };
  }
}

/**
 * A model object for the AI SDK (`generateText`, `streamText`, `generateObject`) in the v3 shape, which SDK 6 and 7
 * take; `specificationVersion: 'v4'` labels it as SDK 7's own. Greedy unless the call sets a temperature. Own options go in `providerOptions.guidedSampler`; each text delta
 * carries the tokens' logprobs and term contributions in `providerMetadata.guidedSampler`.
 */
export function asLanguageModel(
  served: LanguageModelOptions & { readonly specificationVersion: 'v4' },
): LanguageModelV4Text;
export function asLanguageModel(
  served: LanguageModelOptions & { readonly specificationVersion?: 'v3' },
): LanguageModelV3;
export function asLanguageModel(
  served: LanguageModelOptions & { readonly specificationVersion?: 'v3' | 'v4' },
): LanguageModelV3 | LanguageModelV4Text {
  const { specificationVersion = 'v3' } = served;
  const modelId = served.modelId ?? 'guided-sampler';
  const open = async (call: LanguageModelV3CallOptions) => {
    if (call.abortSignal?.aborted === true) throw abortError(call.abortSignal);
    const { options, warnings } = await toRequest(served, call);
    // Bad requests are refused here, before a stream begins.
    checkRequest(options);
    const start = { warnings, modelId, signal: call.abortSignal };
    return { iterator: parts(stream(options), start), warnings };
  };
  return {
    specificationVersion,
    provider: 'safeinfer.guided-sampler',
    modelId,
    supportedUrls: {},
    async doGenerate(call) {
      const { iterator, warnings } = await open(call);
      let text = '';
      const tokens: unknown[] = [];
      let finish: Extract<LanguageModelV3StreamPart, { type: 'finish' }> | undefined;
      for await (const part of iterator) {
        if (part.type === 'text-delta') text += part.delta;
        if (part.type === 'text-delta' || part.type === 'text-end') {
          tokens.push(...((part.providerMetadata?.[NAMESPACE]?.['tokens'] ?? []) as unknown[]));
        }
        if (part.type === 'finish') finish = part;
      }
      if (finish === undefined) throw abortError(call.abortSignal);
      const stats = finish.providerMetadata?.[NAMESPACE] ?? {};
      return {
        content: [{ type: 'text', text }],
        finishReason: finish.finishReason,
        usage: finish.usage,
        providerMetadata: { [NAMESPACE]: { ...stats, tokens: tokens as never } },
        response: { modelId },
        warnings,
      };
    },
    async doStream(call) {
      const { iterator } = await open(call);
      return {
        stream: new ReadableStream<LanguageModelV3StreamPart>({
          async pull(controller) {
            try {
              const { value, done } = await iterator.next();
              if (done === true) controller.close();
              else controller.enqueue(value);
            } catch (error) {
              if (call.abortSignal?.aborted === true) controller.error(error);
              else {
                controller.enqueue({ type: 'error', error });
                controller.close();
              }
            }
          },
          async cancel() {
            await iterator.return(undefined);
          },
        }),
      };
    },
  };
}
