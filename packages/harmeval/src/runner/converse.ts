// Runs the conversations of a batch: one turn for plain styles, more for scripts and adaptive attackers.
import type PQueue from 'p-queue';
import type { Item } from '../datasets/item.ts';
import type {
  ChatMessage,
  Generate,
  GenerateResult,
  Prompt,
  Sampling,
  Usage,
} from '../generate.ts';
import type { FailureClass } from '../generate-failure.ts';
import { generateRows } from '../generate-rows.ts';
import { HarmEvalError } from '../harm-eval-error.ts';
import type { RetryPolicy } from '../retry-policy.ts';
import type { RenderedPrompt } from '../styles/prompt-style.ts';
import type { Attacker } from './attacker.ts';

export interface ConversationStart {
  readonly id: string;
  readonly item: Item;
  readonly seed: number;
  readonly rendered: RenderedPrompt;
}

export interface Conversation {
  readonly prompt: Prompt;
  readonly transcript: readonly ChatMessage[];
  readonly turns: number;
  readonly result: GenerateResult | null;
  readonly failure: { readonly failureClass: FailureClass; readonly message: string } | null;
  readonly attempts: number;
  readonly cached: boolean;
  readonly usage: Usage;
}

interface Running {
  readonly start: ConversationStart;
  prompt: Prompt;
  pending: readonly string[];
  turns: number;
  attempts: number;
  tokensIn: number;
  tokensOut: number;
  cached: boolean;
  result: GenerateResult | null;
  failure: Conversation['failure'];
}

export interface ConverseOptions {
  readonly generate: Generate;
  readonly attacker: Attacker | undefined;
  readonly sampling: Sampling;
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal | undefined;
  readonly queue: PQueue;
}

/** Rows advance together while they have turns left; a row that ends early leaves the others untouched. */
export async function converse(
  starts: readonly ConversationStart[],
  options: ConverseOptions,
): Promise<readonly Conversation[]> {
  const all: Running[] = starts.map((start) => ({
    start,
    prompt: start.rendered.prompt,
    pending: start.rendered.followUps ?? [],
    turns: 0,
    attempts: 0,
    tokensIn: 0,
    tokensOut: 0,
    cached: true,
    result: null,
    failure: null,
  }));
  let active = all;
  while (active.length > 0) {
    const outcomes = await generateRows({
      generate: options.generate,
      requests: active.map(({ start, prompt, turns }) => ({
        id: turns === 0 ? start.id : `${start.id}/turn-${turns + 1}`,
        prompt,
        sampling: options.sampling,
        seed: start.seed,
      })),
      policy: options.policy,
      signal: options.signal,
      queue: options.queue,
    });
    const next: Running[] = [];
    for (const [i, row] of active.entries()) {
      const outcome = outcomes[i];
      if (outcome === undefined) continue;
      row.attempts += outcome.attempts;
      row.turns += 1;
      if (!outcome.ok) {
        row.failure = { failureClass: outcome.failureClass, message: outcome.message };
        row.result = null;
        row.cached = false;
        continue;
      }
      const { result } = outcome;
      row.result = result;
      row.cached &&= result.cached === true;
      row.tokensIn += result.usage?.tokensIn ?? 0;
      row.tokensOut += result.usage?.tokensOut ?? 0;
      const followUp = await nextTurn(row, options);
      if (followUp === null) continue;
      row.prompt = continued(row, result.text, followUp);
      next.push(row);
    }
    active = next;
  }
  return all.map(finished);
}

async function nextTurn(row: Running, options: ConverseOptions): Promise<string | null> {
  const [scripted, ...rest] = row.pending;
  if (scripted !== undefined) {
    row.pending = rest;
    return scripted;
  }
  const { attacker, signal } = options;
  if (attacker === undefined || row.turns >= attacker.maxTurns || row.result === null) return null;
  return attacker.next(
    {
      item: row.start.item,
      transcript: transcriptOf(row.prompt, row.result.text),
      turn: row.turns,
      seed: row.start.seed,
    },
    signal === undefined ? {} : { signal },
  );
}

function continued(row: Running, answer: string, followUp: string): Prompt {
  if (row.prompt.kind === 'raw') {
    throw new HarmEvalError('a raw prompt cannot have a second turn', {
      code: 'BAD_ARGUMENT',
      hint: 'use a chat style with multi-turn scripts and attackers',
    });
  }
  const messages: ChatMessage[] = [
    ...row.prompt.messages,
    { role: 'assistant', content: answer },
    { role: 'user', content: followUp },
  ];
  return { kind: 'chat', messages };
}

function transcriptOf(prompt: Prompt, answer: string | null): readonly ChatMessage[] {
  const asked: readonly ChatMessage[] =
    prompt.kind === 'raw' ? [{ role: 'user', content: prompt.text }] : prompt.messages;
  return answer === null ? asked : [...asked, { role: 'assistant', content: answer }];
}

function finished(row: Running): Conversation {
  return {
    prompt: row.prompt,
    transcript: transcriptOf(row.prompt, row.result?.text ?? null),
    turns: row.turns,
    result: row.result,
    failure: row.failure,
    attempts: row.attempts,
    cached: row.cached,
    usage: { tokensIn: row.tokensIn, tokensOut: row.tokensOut },
  };
}
