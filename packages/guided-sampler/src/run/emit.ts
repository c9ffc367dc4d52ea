// Turns choices into events and decides when an answer ends.
import type { Plan } from '../plan/plan.ts';
import type { FinishEvent, FinishReason, StepEvent, TermContribution } from './events.ts';
import type { StatsCollector } from './run-stats.ts';
import type { Sequence } from './sequence.ts';
import type { Choice } from './step-chooser.ts';

export interface EmitOptions {
  readonly plan: Plan;
  readonly stats: StatsCollector;
  readonly stopTokens: ReadonlySet<number>;
  readonly attribution: boolean;
  /** Length limit of a sequence: the caller's, or what its context leaves. */
  readonly limitOf: (sequence: Sequence) => number;
}

/** How the terms of a token ran. */
export interface Ran {
  readonly how: (termId: string) => TermContribution['ran'];
  readonly logprob: (termId: string, token: number) => number | undefined;
  /** Terms of the token's phase. */
  readonly terms: readonly string[];
}

export class Emitter {
  readonly #options: EmitOptions;

  constructor(options: EmitOptions) {
    this.#options = options;
  }

  /** Accepts a token. The second value is true when the sequence is over. */
  token(
    sequence: Sequence,
    choice: Choice,
    ran: Ran,
  ): { readonly events: StepEvent[]; readonly over: boolean } {
    const { stats, stopTokens } = this.#options;
    const step = sequence.generated.length;
    const { token } = choice;
    sequence.generated.push(token);
    stats.generated++;
    for (const id of ran.terms) if (ran.how(id) === 'skipped') stats.add(id, 'skipped', 1);
    const stopping = stopTokens.has(token);
    const text = stopping ? '' : (sequence.text?.push(token) ?? '');
    const decode = (id: number): string => this.#options.plan.model.tokenizer?.decode([id]) ?? '';
    const events: StepEvent[] = [
      {
        type: 'token',
        prompt: sequence.prompt,
        sample: sequence.sample,
        step,
        token,
        text,
        ...(choice.logprob === undefined ? {} : { logprob: choice.logprob }),
        ...(choice.top === undefined
          ? {}
          : { top: choice.top.map((entry) => ({ ...entry, text: decode(entry.token) })) }),
        ...(this.#options.attribution ? { terms: this.#terms(choice, ran) } : {}),
        ...(choice.normaliser === undefined ? {} : { normaliser: choice.normaliser }),
      },
    ];
    const end = this.#end(sequence, token, stopping);
    if (end !== undefined) events.push(this.finish(sequence, end.reason, end.detail));
    return { events, over: end !== undefined };
  }

  finish(sequence: Sequence, reason: FinishReason, detail: string): FinishEvent {
    return {
      type: 'finish',
      prompt: sequence.prompt,
      sample: sequence.sample,
      reason,
      detail,
      text: sequence.text?.finish() ?? '',
      usage: {
        promptTokens: sequence.promptTokenCount,
        completionTokens: sequence.generated.length,
      },
      stats: this.#options.stats.snapshot(),
    };
  }

  #end(
    sequence: Sequence,
    token: number,
    stopping: boolean,
  ): { readonly reason: FinishReason; readonly detail: string } | undefined {
    if (stopping) return { reason: 'stop', detail: `stop token ${token}` };
    if (sequence.text?.stopped === true) return { reason: 'stop', detail: 'stop string' };
    // With drafts left the grammar is ahead of the accepted text.
    if (sequence.drafts.length === 0 && sequence.grammar?.finished === true) {
      return { reason: 'stop', detail: 'grammar complete' };
    }
    const limit = this.#options.limitOf(sequence);
    if (sequence.generated.length >= limit) {
      return { reason: 'length', detail: `${limit} tokens` };
    }
    return undefined;
  }

  #terms(choice: Choice, ran: Ran): Readonly<Record<string, TermContribution>> {
    return Object.fromEntries(
      ran.terms.map((id) => {
        const logprob = ran.logprob(id, choice.token);
        const delta = choice.deltas?.get(id);
        return [
          id,
          {
            ran: ran.how(id),
            ...(logprob === undefined ? {} : { logprob }),
            ...(delta === undefined ? {} : { delta }),
          },
        ];
      }),
    );
  }
}
