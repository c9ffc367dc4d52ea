// OpenAI's chat/completions: the answer whole, and in chunks.
import type { StepEvent, TokenEvent, Usage } from '../run/events.ts';
import type { GenerateResult } from '../run/generate.ts';
import type { GenerateOptions } from '../run/generate-options.ts';
import type { RunStats } from '../run/run-stats.ts';
import { type Envelope, finishReasonOf, logprobsOf, usageOf } from './openai-response.ts';

/** The answer as one object. */
export function wholeChat(
  result: GenerateResult,
  envelope: Envelope,
  options: GenerateOptions,
): object {
  const codec = options.plan.model.tokenizer;
  return {
    ...envelope,
    object: 'chat.completion',
    choices: result.completions.map(({ sample, text, reason, events }) => ({
      index: sample,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: logprobsOf(events, codec, options.logprobs !== undefined),
      finish_reason: finishReasonOf(reason),
      ...(options.attribution === 'chosen' ? { guided: { tokens: attributed(events) } } : {}),
    })),
    usage: usageOf(
      result.completions[0]?.usage.promptTokens ?? 0,
      result.completions.map((c) => c.usage),
      result.stats,
    ),
    system_fingerprint: null,
    guided: { seed: options.seed, stats: result.stats },
  };
}

function attributed(events: readonly TokenEvent[]): readonly object[] {
  return events.map(({ token, logprob, terms }) => ({ token, logprob, terms }));
}

/** Chunks of a stream, in the order that clients rely on: role, content, finish reason, usage. */
export async function* chatChunks(
  events: AsyncIterable<StepEvent>,
  envelope: Envelope,
  options: GenerateOptions,
  includeUsage: boolean,
): AsyncGenerator<object> {
  const codec = options.plan.model.tokenizer;
  const asked = options.logprobs !== undefined;
  const chunk = (choices: readonly object[]): object => ({
    ...envelope,
    object: 'chat.completion.chunk',
    choices,
    ...(includeUsage ? { usage: null } : {}),
  });
  const count = options.n ?? 1;
  for (let index = 0; index < count; index++) {
    const delta = { role: 'assistant', content: '' };
    yield chunk([{ index, delta, logprobs: null, finish_reason: null }]);
  }
  const waiting = Array.from({ length: count }, (): TokenEvent[] => []);
  const usages: Usage[] = [];
  let stats: RunStats | undefined;
  for await (const event of events) {
    const index = event.sample;
    const held = waiting[index] as TokenEvent[];
    if (event.type === 'token') held.push(event);
    if (event.text !== '' || (event.type === 'finish' && asked && held.length > 0)) {
      const guided =
        options.attribution === 'chosen' ? { guided: { tokens: attributed(held) } } : {};
      yield chunk([
        {
          index,
          delta: { content: event.text },
          logprobs: logprobsOf(held, codec, asked),
          finish_reason: null,
          ...guided,
        },
      ]);
      waiting[index] = [];
    }
    if (event.type === 'token') continue;
    usages.push(event.usage);
    stats = event.stats;
    yield chunk([
      { index, delta: {}, logprobs: null, finish_reason: finishReasonOf(event.reason) },
    ]);
  }
  if (includeUsage)
    yield {
      ...envelope,
      object: 'chat.completion.chunk',
      choices: [],
      usage: usageOf(usages[0]?.promptTokens ?? 0, usages, stats),
    };
}
