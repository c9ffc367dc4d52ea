// The two ways to run a plan: a stream of events, or whole answers.
import { nextTurn, SafeInferError } from '@safeinfer/backend';
import type { FinishReason, StepEvent, TokenEvent, Usage } from './events.ts';
import { checkRequest, type GenerateOptions } from './generate-options.ts';
import { Run } from './run.ts';
import type { RunStats } from './run-stats.ts';

/** Timers, sockets and abort handlers get their turn between steps at least this often. */
const BREATHE_MS = 10;

/**
 * Runs a plan and yields events as they happen: one 'token' event a generated token, one 'finish' event an answer.
 * When the signal fires, unfinished answers end with reason 'abort' and the stream ends. Leaving the loop early frees
 * everything. Requests are checked when the stream is first read.
 * @throws BAD_ARGUMENT, CONTEXT_OVERFLOW, NON_FINITE, DISPOSED.
 */
export async function* stream(
  options: GenerateOptions,
): AsyncGenerator<StepEvent, void, undefined> {
  using run = new Run(checkRequest(options));
  let turn = performance.now();
  while (!run.done) {
    let events: readonly StepEvent[];
    try {
      events = await run.step();
    } catch (error) {
      if (!(SafeInferError.isInstance(error) && error.code === 'ABORTED')) throw error;
      events = run.abort('the signal fired');
    }
    yield* events;
    if (performance.now() - turn > BREATHE_MS) {
      await nextTurn();
      turn = performance.now();
    }
  }
}

export interface Completion {
  readonly prompt: number;
  readonly sample: number;
  /** Generated ids; an end-of-text or stop token that ended the answer is the last one. */
  readonly tokens: readonly number[];
  /** Without stop strings and stop tokens; '' for a model without a tokenizer. */
  readonly text: string;
  readonly reason: FinishReason;
  readonly usage: Usage;
  readonly events: readonly TokenEvent[];
}

export interface GenerateResult {
  /** Ordered by prompt, then sample. */
  readonly completions: readonly Completion[];
  readonly stats: RunStats;
}

/**
 * Runs a plan to the end.
 * @throws ABORTED when the signal fires, besides what `stream` throws.
 */
export function generate(options: GenerateOptions): Promise<GenerateResult> {
  return collect(stream(options), options);
}

/** Whole answers from the events of a request. @throws ABORTED when its signal fires */
export async function collect(
  source: AsyncIterable<StepEvent>,
  options: GenerateOptions,
): Promise<GenerateResult> {
  const n = options.n ?? 1;
  const open = options.prompts.flatMap((_, prompt) =>
    Array.from({ length: n }, (__, sample) => ({
      prompt,
      sample,
      text: '',
      events: [] as TokenEvent[],
    })),
  );
  const completions: Completion[] = [];
  let stats: RunStats = { passes: 0, generated: 0, terms: {} };
  for await (const event of source) {
    const index = event.prompt * n + event.sample;
    const answer = open[index];
    if (answer === undefined) continue;
    answer.text += event.text;
    if (event.type === 'token') {
      answer.events.push(event);
      continue;
    }
    stats = event.stats;
    const { prompt, sample, text, events } = answer;
    const tokens = events.map((token) => token.token);
    completions[index] = {
      prompt,
      sample,
      tokens,
      text,
      reason: event.reason,
      usage: event.usage,
      events,
    };
  }
  if (options.signal?.aborted === true) {
    throw new SafeInferError('the generation was aborted', {
      code: 'ABORTED',
      hint: 'nothing is wrong: the AbortSignal passed to generate fired; stream() keeps partial answers',
      cause: options.signal.reason,
    });
  }
  return { completions, stats };
}
