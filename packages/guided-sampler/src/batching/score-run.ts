// Log-probabilities of given texts under a plan, as a generation that is told what to say.
import { SafeInferError } from '@safeinfer/backend';
import type { TermScores } from '../formula/compile-formula.ts';
import { logSumExp } from '../numerics/log-sum-exp.ts';
import { mostLikely } from '../numerics/most-likely.ts';
import type { Plan } from '../plan/plan.ts';
import type { TokenLogprob } from '../run/events.ts';
import { type FeedOwner, type FeedRequest, scoresOf } from '../run/feed.ts';
import { checkRequest } from '../run/generate-options.ts';
import { StatsCollector } from '../run/run-stats.ts';
import { Sequence } from '../run/sequence.ts';
import { type Cost, NO_COST, plus, type StepSource, type StepWork } from '../run/step-source.ts';

/** Tokens scored in one step: bounds the logits in memory, and lets answers of other requests go on in between. */
const CHUNK = 64;

export interface ScoreOptions {
  readonly plan: Plan;
  /** Text or token ids, one entry a text. */
  readonly texts: readonly (string | readonly number[])[];
  /** How many alternatives to report per token. Default 0. */
  readonly logprobs?: number;
  readonly signal?: AbortSignal;
}

/** One text: every token, the first without a log-probability because nothing comes before it. */
export interface PromptScores {
  readonly prompt: number;
  readonly tokens: readonly {
    readonly token: number;
    readonly text: string;
    readonly logprob?: number;
    readonly top?: readonly TokenLogprob[];
  }[];
}

interface Text {
  readonly prompt: number;
  /** Tokens of the text itself under the first term. */
  readonly tokens: readonly number[];
  /** Of every term: what comes before the second token of the text. */
  readonly before: readonly (readonly number[])[];
}

type Scored = PromptScores['tokens'][number];

/**
 * The text after its first token is scored as an answer would be: terms see it as generated, so steering of "the last
 * token" acts at every token, and schedules count from the second one.
 */
export class ScoreRun implements StepSource<PromptScores> {
  readonly #plan: Plan;
  readonly #logprobs: number;
  readonly #owner: FeedOwner;
  readonly #waiting: Text[];
  readonly #active = new Map<Sequence, { readonly text: Text; readonly scored: Scored[] }>();
  readonly #scores: Float64Array;

  /** @throws as `stream` for prompts that a term cannot take */
  constructor(options: ScoreOptions) {
    const { plan, texts, logprobs = 0 } = options;
    const { prompts } = checkRequest(
      { plan, prompts: texts, maxNewTokens: 1, logprobs },
      { keepTokens: true },
    );
    this.#plan = plan;
    this.#logprobs = logprobs;
    this.#owner = {
      stats: new StatsCollector(plan.terms.map(({ id }) => id)),
      vocabSize: plan.vocabSize,
    };
    this.#scores = new Float64Array(plan.vocabSize);
    this.#waiting = prompts.map((perTerm, prompt) => textOf(plan, perTerm, prompt, texts[prompt]));
  }

  get done(): boolean {
    return this.#active.size === 0 && this.#waiting.length === 0;
  }

  get active(): number {
    return this.#active.size;
  }

  get waiting(): Cost | undefined {
    const next = this.#waiting[0];
    return next && cost(next);
  }

  get held(): Cost {
    return [...this.#active.values()].map(({ text }) => cost(text)).reduce(plus, NO_COST);
  }

  async begin(): Promise<void> {
    const text = this.#waiting.shift();
    if (text === undefined) return;
    const sequence = new Sequence({
      plan: this.#plan,
      prompt: text.prompt,
      sample: 0,
      prompts: text.before,
      row: 0,
      seed: 0,
      text: undefined,
      grammar: undefined,
    });
    this.#active.set(sequence, { text, scored: [this.#entry(text.tokens[0] as number)] });
  }

  async prepare(): Promise<StepWork<PromptScores>> {
    const parts = [...this.#active].map(([sequence, { text }]) => {
      const from = 1 + sequence.generated.length;
      const chunk = text.tokens.slice(from, from + CHUNK);
      const known = sequence.generated.length;
      // The chunk is fed up to its last token but one: the last needs only the distribution before it.
      sequence.generated.push(...chunk.slice(0, -1));
      const requests = this.#plan.terms.map(
        ({ id }): FeedRequest => ({
          owner: this.#owner,
          sequence,
          termId: id,
          drafts: 0,
          want: chunk.length,
        }),
      );
      return { sequence, chunk, known, requests: chunk.length === 0 ? [] : requests };
    });
    return {
      requests: parts.flatMap(({ requests }) => requests),
      finish: (results) => {
        const events: PromptScores[] = [];
        let at = 0;
        for (const { sequence, chunk, known, requests } of parts) {
          const lists = requests.map((_, i) => scoresOf(results[at + i] ?? NOTHING));
          at += requests.length;
          const entry = this.#active.get(sequence);
          if (entry === undefined) continue;
          chunk.forEach((token, i) => {
            const terms = new Map(
              this.#plan.terms.map(({ id }, t) => [id, lists[t]?.[i] as TermScores]),
            );
            entry.scored.push(this.#score(token, known + i, terms));
          });
          if (chunk.length > 0) sequence.generated.push(chunk.at(-1) as number);
          if (entry.scored.length < entry.text.tokens.length) continue;
          events.push({ prompt: entry.text.prompt, tokens: entry.scored });
          this.#active.delete(sequence);
          sequence[Symbol.dispose]();
        }
        return events;
      },
      [Symbol.dispose]: () => {},
    };
  }

  abort(): readonly PromptScores[] {
    this[Symbol.dispose]();
    return [];
  }

  [Symbol.dispose](): void {
    for (const sequence of this.#active.keys()) sequence[Symbol.dispose]();
    this.#active.clear();
    this.#waiting.length = 0;
  }

  #score(token: number, step: number, terms: ReadonlyMap<string, TermScores>): Scored {
    this.#plan.formula.phaseAt(step).evaluate(terms, this.#scores);
    const { value } = logSumExp(this.#scores);
    const logprob = (id: number): number => (this.#scores[id] as number) - value;
    const top = mostLikely(this.#scores, this.#logprobs).map((id) => ({
      ...this.#entry(id),
      logprob: logprob(id),
    }));
    return { ...this.#entry(token), logprob: logprob(token), top };
  }

  #entry(token: number): { readonly token: number; readonly text: string } {
    return { token, text: this.#plan.model.tokenizer?.decode([token]) ?? '' };
  }
}

const NOTHING = { scores: [], failure: undefined } as const;

function cost(text: Text): Cost {
  const rest = text.tokens.length - 1;
  const tokens = text.before.reduce((sum, before) => sum + before.length + rest, 0);
  return { rows: text.before.length, tokens };
}

/** Cuts every term's prompt before the second token of the text, which all terms must end with. */
function textOf(
  plan: Plan,
  perTerm: readonly (readonly number[])[],
  prompt: number,
  given: string | readonly number[] | undefined,
): Text {
  const { tokenizer } = plan.model;
  const tokens =
    typeof given === 'string' ? (tokenizer?.encode(given) ?? []) : (given as readonly number[]);
  const rest = tokens.length - 1;
  const before = perTerm.map((own) => own.slice(0, own.length - rest));
  const same = perTerm.every(
    (own, t) =>
      (before[t] as readonly number[]).length > 0 &&
      own.slice(own.length - rest).join() === tokens.slice(1).join(),
  );
  if (rest === 0 || same) {
    const whole = rest === 0 ? perTerm : before;
    return { prompt, tokens, before: whole };
  }
  throw new SafeInferError(`the terms of this plan do not all end with text ${prompt}`, {
    code: 'UNSUPPORTED',
    hint: 'scoring needs terms that put something before the text, not after it or in its place',
  });
}
