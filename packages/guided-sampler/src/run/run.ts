// One generation: admits prompts, runs steps over all active answers, verifies drafts, emits events.
import { throwIfAborted } from '@safeinfer/backend';
import type { TermScores } from '../formula/compile-formula.ts';
import { buildChain, type Chain } from '../sampling/chain.ts';
import { rowKey } from '../sampling/random.ts';
import { IncrementalText } from '../text/incremental-text.ts';
import { tokenStream } from '../text/token-stream.ts';
import { roomFor } from './context-limit.ts';
import { Emitter, type Ran } from './emit.ts';
import type { FinishEvent, StepEvent } from './events.ts';
import { type FeedOwner, type FeedRequest, feed, MAX_PREFILL_TOKENS } from './feed.ts';
import type { GenerateOptions, Request } from './generate-options.ts';
import { StatsCollector } from './run-stats.ts';
import { Sequence } from './sequence.ts';
import { StepChooser } from './step-chooser.ts';
import { finishJobs, type Job } from './step-job.ts';
import { type Cost, NO_COST, plus, type StepSource, type StepWork } from './step-source.ts';
import { type StepMode, TermPolicy } from './term-policy.ts';
import type { Checkpoint, TermRow } from './term-row.ts';

/** Answers in the making at once: enough rows to share the weights, few enough for short answers to leave early. */
const DEFAULT_BATCH = 8;

type DraftMode = Extract<StepMode, { kind: 'draft' }>;

function firstOf(
  scores: ReadonlyMap<string, readonly TermScores[]>,
): ReadonlyMap<string, TermScores> {
  return new Map([...scores].map(([id, list]) => [id, list[0] as TermScores]));
}

export class Run implements StepSource<StepEvent> {
  readonly stats: StatsCollector;
  readonly #options: GenerateOptions;
  readonly #request: Request;
  readonly #chain: Chain;
  readonly #chooser: StepChooser;
  readonly #policy: TermPolicy;
  readonly #emitter: Emitter;
  readonly #owner: FeedOwner;
  readonly #active = new Set<Sequence>();
  readonly #limits = new WeakMap<Sequence, number>();
  /** Answers whose drafts wait for the other terms. */
  readonly #verifying = new Map<Sequence, DraftMode>();
  readonly #waiting: { readonly prompt: number; readonly sample: number; readonly row: number }[];

  constructor(request: Request) {
    const { options } = request;
    const { plan } = options;
    this.#options = options;
    this.#request = request;
    this.#chain = buildChain(options.sampling ?? {}, [...request.stopTokens], options.processors);
    this.stats = new StatsCollector(plan.terms.map((term) => term.id));
    const attribution = options.attribution !== 'none';
    this.#chooser = new StepChooser({
      plan,
      chain: this.#chain,
      logprobs: options.logprobs,
      attribution,
    });
    this.#policy = new TermPolicy(options, this.#chain);
    this.#emitter = new Emitter({
      plan,
      stats: this.stats,
      stopTokens: request.stopTokens,
      attribution,
      limitOf: (sequence) => this.#limits.get(sequence) ?? options.maxNewTokens,
    });
    this.#owner = { stats: this.stats, vocabSize: plan.vocabSize };
    const copies = new Map<number, number>();
    this.#waiting = request.prompts.flatMap((perTerm, prompt) =>
      Array.from({ length: options.n ?? 1 }, (_, sample) => {
        const content = rowKey(perTerm[0] as readonly number[], 0);
        const copy = copies.get(content) ?? 0;
        copies.set(content, copy + 1);
        return { prompt, sample, row: rowKey(perTerm[0] as readonly number[], copy) };
      }),
    );
  }

  get done(): boolean {
    return this.#active.size === 0 && this.#waiting.length === 0;
  }

  get active(): number {
    return this.#active.size;
  }

  /** One step of every active answer, at most one pass a model. */
  async step(): Promise<readonly StepEvent[]> {
    const { signal, batchSize = DEFAULT_BATCH } = this.#options;
    throwIfAborted(signal);
    while (this.#active.size < batchSize && this.waiting !== undefined) await this.begin();
    using work = await this.prepare(this.#active.size);
    const { requests } = work;
    const results =
      requests.length === 0
        ? []
        : await feed(requests, { signal, maxPrefillTokens: MAX_PREFILL_TOKENS });
    return work.finish(results);
  }

  /** What the next answer that has not begun would hold; undefined when all have. */
  get waiting(): Cost | undefined {
    const next = this.#waiting[0];
    if (next === undefined) return undefined;
    const prompts = this.#request.prompts[next.prompt] as readonly (readonly number[])[];
    return this.#cost(prompts);
  }

  /** What the answers in the making hold at most. */
  get held(): Cost {
    return [...this.#active].map((s) => this.#cost(s.prompts)).reduce(plus, NO_COST);
  }

  /**
   * What every active answer wants of a step: first terms of some answers, all terms of others, and the verification
   * of drafts of a third kind ride together.
   * @param active answers that share the step, those of other runs included
   */
  async prepare(active: number): Promise<StepWork<StepEvent>> {
    const events: StepEvent[] = [];
    const masks = new Map<Sequence, Int32Array | undefined>();
    for (const sequence of this.#active) {
      if (this.#verifying.has(sequence)) continue;
      masks.set(sequence, await sequence.grammar?.allowed());
    }
    // From here on nothing waits and nothing fails: whatever the jobs hold reaches the caller.
    const jobs: Job[] = [];
    for (const sequence of [...this.#active]) {
      const open = this.#verifying.get(sequence);
      if (open !== undefined) {
        jobs.push(this.#verification(sequence, open));
        continue;
      }
      const mask = masks.get(sequence);
      const forced = this.#forced(sequence, mask);
      if (forced !== undefined) {
        events.push(...this.#accept(sequence, { token: forced }, this.#ranNothing(sequence)));
        continue;
      }
      const mode = this.#policy.mode(sequence, active);
      jobs.push(
        mode.kind === 'together'
          ? this.#together(sequence, mode, mask)
          : this.#first(sequence, mode, mask),
      );
    }
    return {
      requests: jobs.flatMap((job) => job.requests),
      finish: (results) => [...events, ...finishJobs(jobs, results)],
      [Symbol.dispose]: () => {
        for (const job of jobs) for (const { cache } of job.checkpoints.values()) cache.dispose();
      },
    };
  }

  /** Finish events of everything that was not finished. */
  abort(detail: string): readonly FinishEvent[] {
    const events = [...this.#active].map((s) => this.#emitter.finish(s, 'abort', detail));
    this[Symbol.dispose]();
    return events;
  }

  [Symbol.dispose](): void {
    for (const sequence of this.#active) sequence[Symbol.dispose]();
    this.#active.clear();
    this.#verifying.clear();
    this.#waiting.length = 0;
  }

  /** Makes a sequence of the next answer. */
  async begin(): Promise<void> {
    const { plan, stop, maxNewTokens, grammar, seed } = this.#options;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    const prompts = this.#request.prompts[next.prompt] as readonly (readonly number[])[];
    const { tokenizer } = plan.model;
    const sequence = new Sequence({
      plan,
      ...next,
      prompts,
      seed: seed ?? 0,
      text:
        tokenizer === undefined
          ? undefined
          : new IncrementalText(tokenStream(tokenizer), stop ?? []),
      grammar: await grammar?.start(),
    });
    this.#limits.set(sequence, Math.min(maxNewTokens, roomFor(plan, prompts)));
    this.#active.add(sequence);
  }

  #cost(prompts: readonly (readonly number[])[]): Cost {
    const limit = Math.min(this.#options.maxNewTokens, roomFor(this.#options.plan, prompts));
    const tokens = prompts.reduce((sum, prompt) => sum + prompt.length + limit, 0);
    return { rows: prompts.length, tokens };
  }

  /** A token that needs no model: a forced prefix, or the only one that the grammar allows. */
  #forced(sequence: Sequence, mask: Int32Array | undefined): number | undefined {
    if (this.#options.logprobs !== undefined || sequence.drafts.length > 0) return undefined;
    const prefix = this.#options.sampling?.forcedPrefix?.[sequence.nextStep];
    if (prefix !== undefined && mask === undefined) return prefix;
    return mask === undefined ? undefined : onlyBit(mask);
  }

  /** All terms at once. */
  #together(
    sequence: Sequence,
    mode: Extract<StepMode, { kind: 'together' }>,
    mask: Int32Array | undefined,
  ): Job {
    const finish: Job['finish'] = (scores) => {
      const terms = firstOf(scores);
      const step = sequence.nextStep;
      if (mode.watch !== undefined) {
        const first = { id: mode.watch, scores: terms.get(mode.watch) as TermScores };
        const wants = { decision: true, draft: false };
        this.#policy.observe(this.#chooser.early(sequence, step, first, mask, wants).decided);
      }
      return this.#accept(sequence, this.#chooser.full(sequence, step, terms, mask), {
        terms: mode.terms,
        how: () => 'now',
        logprob: (id, token) => terms.get(id)?.logProb(token),
      });
    };
    const owner = this.#owner;
    const requests = mode.terms.map((termId) => ({ owner, sequence, termId, drafts: 0, want: 1 }));
    return { requests, finish, checkpoints: new Map() };
  }

  /** The first term alone: decides the token, or drafts it. */
  #first(sequence: Sequence, mode: DraftMode, mask: Int32Array | undefined): Job {
    const last = sequence.drafts.at(-1);
    // Feeding an open draft: this is the state to come back to when it is rejected.
    if (last !== undefined) last.before = (sequence.rows.get(mode.first) as TermRow).checkpoint();
    const drafts = sequence.drafts.length;
    return {
      requests: [{ owner: this.#owner, sequence, termId: mode.first, drafts, want: 1 }],
      finish: (scores) =>
        this.#draft(sequence, mode, firstOf(scores).get(mode.first) as TermScores, mask),
      checkpoints: new Map(),
    };
  }

  /** Emits the token when it is decided and nothing is open before it; else keeps it as a draft. */
  #draft(
    sequence: Sequence,
    mode: DraftMode,
    scores: TermScores,
    mask: Int32Array | undefined,
  ): readonly StepEvent[] {
    const step = sequence.nextStep;
    const first = { id: mode.first, scores };
    const wants = { decision: mode.decides, draft: true };
    const { token, decided } = this.#chooser.early(sequence, step, first, mask, wants);
    this.#policy.observe(decided);
    if (decided && sequence.drafts.length === 0) {
      return this.#accept(sequence, { token }, decidedBy(mode, scores));
    }
    sequence.grammar?.accept(token);
    sequence.drafts.push({ token, decided, scores, mask });
    const { formula } = this.#options.plan;
    const full =
      this.#policy.verifies(sequence) ||
      this.#request.stopTokens.has(token) ||
      sequence.grammar?.finished === true ||
      sequence.nextStep >= (this.#limits.get(sequence) as number) ||
      formula.phaseAt(sequence.nextStep) !== formula.phaseAt(step);
    if (full) this.#verifying.set(sequence, mode);
    return [];
  }

  /** The other terms over all drafts at once. */
  #verification(sequence: Sequence, mode: DraftMode): Job {
    this.#verifying.delete(sequence);
    const count = sequence.drafts.length;
    const checkpoints = new Map<TermRow, Checkpoint>();
    const requests = mode.others.map((termId): FeedRequest => {
      const row = sequence.rows.get(termId) as TermRow;
      // A single draft is not fed before it is accepted: nothing to take back.
      if (count > 1) checkpoints.set(row, row.checkpoint());
      return { owner: this.#owner, sequence, termId, drafts: count - 1, want: count };
    });
    return {
      requests,
      finish: (scores) => this.#keepDrafts(sequence, mode, scores, checkpoints),
      checkpoints,
    };
  }

  /** Keeps drafts while the full choice agrees. */
  #keepDrafts(
    sequence: Sequence,
    mode: DraftMode,
    others: ReadonlyMap<string, readonly TermScores[]>,
    checkpoints: Map<TermRow, Checkpoint>,
  ): readonly StepEvent[] {
    const events: StepEvent[] = [];
    const drafts = [...sequence.drafts];
    const start = sequence.generated.length;
    const waited = start === 0 ? undefined : drafts.find((draft) => !draft.decided);
    for (const [i, draft] of drafts.entries()) {
      if (draft.decided) {
        // The tokens before it are kept: what decided it still holds.
        sequence.drafts.shift()?.before?.cache.dispose();
        events.push(
          ...this.#accept(sequence, { token: draft.token }, decidedBy(mode, draft.scores), true),
        );
        if (!this.#active.has(sequence)) break;
        continue;
      }
      const terms = new Map<string, TermScores>([[mode.first, draft.scores]]);
      for (const [id, list] of others) terms.set(id, list[i] as TermScores);
      const choice = this.#chooser.full(sequence, start + i, terms, draft.mask);
      const kept = choice.token === draft.token;
      for (const id of mode.others) this.stats.add(id, kept ? 'accepted' : 'rejected', 1);
      if (draft === waited) this.#policy.observeDraft(kept);
      if (!kept) this.#goBack(sequence, mode, checkpoints);
      // Before the token is accepted its draft must be gone: context and pending tokens count both.
      sequence.drafts.shift()?.before?.cache.dispose();
      const ran: Ran = {
        terms: [mode.first, ...mode.others],
        how: (id) => (id === mode.first ? 'now' : 'verified'),
        logprob: (id, token) => terms.get(id)?.logProb(token),
      };
      events.push(...this.#accept(sequence, choice, ran, kept));
      if (!kept || !this.#active.has(sequence)) break;
    }
    sequence.clearDrafts();
    return events;
  }

  /** The first draft was wrong: whatever was fed from it on is taken back. */
  #goBack(sequence: Sequence, mode: DraftMode, checkpoints: Map<TermRow, Checkpoint>): void {
    const draft = sequence.drafts[0];
    const count = sequence.drafts.length;
    sequence.grammar?.rollback(count);
    if (draft?.before !== undefined) {
      (sequence.rows.get(mode.first) as TermRow).restore(draft.before);
      delete draft.before;
    }
    if (count === 1) return;
    for (const id of mode.others) {
      const row = sequence.rows.get(id) as TermRow;
      const checkpoint = checkpoints.get(row);
      if (checkpoint === undefined) continue;
      row.restore(checkpoint);
      checkpoints.delete(row);
    }
  }

  #accept(
    sequence: Sequence,
    choice: Parameters<Emitter['token']>[1],
    ran: Ran,
    grammarAhead = false,
  ): readonly StepEvent[] {
    if (!grammarAhead) sequence.grammar?.accept(choice.token);
    const { events, over } = this.#emitter.token(sequence, choice, ran);
    if (over) {
      this.#active.delete(sequence);
      this.#verifying.delete(sequence);
      sequence[Symbol.dispose]();
    }
    return events;
  }

  #ranNothing(sequence: Sequence): Ran {
    const { terms } = this.#options.plan.formula.phaseAt(sequence.nextStep);
    return { terms, how: () => 'skipped', logprob: () => undefined };
  }
}

/** How the terms of a token ran that the first one decided. */
function decidedBy({ first, others }: DraftMode, scores: TermScores): Ran {
  return {
    terms: [first, ...others],
    how: (id) => (id === first ? 'now' : 'skipped'),
    logprob: (id, token) => (id === first ? scores.logProb(token) : undefined),
  };
}

/** The single set bit, or undefined when there are none or several. */
function onlyBit(mask: Int32Array): number | undefined {
  let found: number | undefined;
  for (let i = 0; i < mask.length; i++) {
    const word = mask[i] as number;
    if (word === 0) continue;
    if (found !== undefined || (word & (word - 1)) !== 0) return undefined;
    found = i * 32 + 31 - Math.clz32(word);
  }
  return found;
}
