// Continuous batching: requests join the running batch at any step and leave it when they are done.
import { nextTurn, SafeInferError } from '@safeinfer/backend';
import type { StepEvent } from '../run/events.ts';
import { feed, MAX_PREFILL_TOKENS } from '../run/feed.ts';
import { checkRequest, type GenerateOptions } from '../run/generate-options.ts';
import { Run } from '../run/run.ts';
import {
  type Cost,
  fits,
  NO_COST,
  plus,
  type StepSource,
  type StepWork,
} from '../run/step-source.ts';
import { EventChannel } from './event-channel.ts';
import { type PromptScores, type ScoreOptions, ScoreRun } from './score-run.ts';

/** Sixty-four answers of a two-term formula. */
const DEFAULT_ROWS = 128;
/** 64 Ki tokens: 0.27 GB of the bundled model's keys and values, 8 GB of a 1B model's with 16 layers of 1,024 keys. */
const DEFAULT_CACHED_TOKENS = 65_536;
const DEFAULT_QUEUE = 256;
/** Weight of the newest answer in the running duration. */
const NEWEST = 0.1;

export interface SchedulerOptions {
  /** Rows of a pass at most: answers times the terms of their plans. Default 128. */
  readonly maxRows?: number;
  /** Tokens in caches at most, over all rows, prompts and answers at their full length. Default 65,536. */
  readonly maxCachedTokens?: number;
  /** Requests that wait for room at most. Default 256. */
  readonly maxQueue?: number;
  /** Told after every step. */
  readonly onStep?: (step: SchedulerStep) => void;
}

export interface SchedulerStep {
  readonly ms: number;
  /** Answers that took part. */
  readonly active: number;
  /** Events that it made. */
  readonly tokens: number;
}

export interface SchedulerLoad {
  /** Requests in the batch, and waiting. */
  readonly running: number;
  readonly queued: number;
  readonly rows: number;
  readonly cachedTokens: number;
  readonly steps: number;
  /** After how many seconds a refused request may find room: about the time one answer takes. */
  readonly retryAfterSeconds: number;
}

/** A request in the batch or in the queue, whatever its events are. */
interface Entry {
  readonly source: StepSource<unknown>;
  readonly signal: AbortSignal | undefined;
  readonly joined: number;
  left: boolean;
  readonly push: (events: readonly unknown[]) => void;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
}

function whole(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new SafeInferError(`${name} is ${value}`, {
    code: 'BAD_ARGUMENT',
    hint: `${name} is a whole number of at least ${least}`,
  });
}

/**
 * Owns the decode loop of a long-lived service. Requests may have different plans (of one model or of several),
 * sampling, seeds and limits; those that share a model share its passes. An answer is the same as when the request
 * runs alone with `stream`. Dispose it to end everything that runs.
 */
export class Scheduler implements AsyncDisposable {
  readonly #limit: Cost;
  readonly #maxQueue: number;
  readonly #onStep: ((step: SchedulerStep) => void) | undefined;
  readonly #running = new Set<Entry>();
  readonly #queue: Entry[] = [];
  #closed: string | undefined;
  #loop: Promise<void> | undefined;
  #steps = 0;
  #seconds = 1;

  constructor(options: SchedulerOptions = {}) {
    const { maxRows = DEFAULT_ROWS, maxCachedTokens = DEFAULT_CACHED_TOKENS } = options;
    const { maxQueue = DEFAULT_QUEUE } = options;
    whole('maxRows', maxRows, 1);
    whole('maxCachedTokens', maxCachedTokens, 1);
    whole('maxQueue', maxQueue, 0);
    this.#limit = { rows: maxRows, tokens: maxCachedTokens };
    this.#maxQueue = maxQueue;
    this.#onStep = options.onStep;
  }

  get load(): SchedulerLoad {
    const held = this.#held();
    return {
      running: this.#running.size,
      queued: this.#queue.length,
      rows: held.rows,
      cachedTokens: held.tokens,
      steps: this.#steps,
      retryAfterSeconds: Math.min(60, Math.max(1, Math.ceil(this.#seconds))),
    };
  }

  /**
   * Adds a request; its events come as with `stream`. `batchSize` is not used: the scheduler's limits are.
   * @throws BUSY when the queue is full, DISPOSED after `drain`, and what `stream` throws for bad requests; all at
   * once, before anything runs. BAD_ARGUMENT when one answer is larger than the whole budget.
   */
  submit(options: GenerateOptions): AsyncIterableIterator<StepEvent> {
    this.#checkOpen();
    return this.#add(new Run(checkRequest(options)), options.signal);
  }

  /**
   * Log-probabilities of given tokens under a plan, in the same passes as everything else.
   * @throws as `submit`
   */
  async score(options: ScoreOptions): Promise<readonly PromptScores[]> {
    this.#checkOpen();
    const results: PromptScores[] = [];
    for await (const event of this.#add(new ScoreRun(options), options.signal)) results.push(event);
    if (options.signal?.aborted === true) {
      throw new SafeInferError('scoring was aborted', {
        code: 'ABORTED',
        hint: 'nothing is wrong: the AbortSignal passed to score fired',
        cause: options.signal.reason,
      });
    }
    return results.sort((a, b) => a.prompt - b.prompt);
  }

  /** Refuses new requests and resolves when everything that was accepted is done. */
  async drain(): Promise<void> {
    this.#closed ??= 'is draining';
    await this.#loop;
  }

  /** Ends everything with reason 'abort'; resolves when all memory is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = 'was disposed';
    await this.#loop;
  }

  #checkOpen(): void {
    if (this.#closed === undefined) return;
    throw new SafeInferError(`this scheduler ${this.#closed}`, {
      code: 'DISPOSED',
      hint: 'send the request to another one',
    });
  }

  #add<E>(source: StepSource<E>, signal: AbortSignal | undefined): EventChannel<E> {
    try {
      this.#checkRoom(source);
    } catch (error) {
      source[Symbol.dispose]();
      throw error;
    }
    const channel = new EventChannel<E>(() => {
      entry.left = true;
    });
    const entry: Entry = {
      source,
      signal,
      joined: performance.now(),
      left: false,
      push: (events) => channel.push(events as readonly E[]),
      end: () => channel.end(),
      fail: (error) => channel.fail(error),
    };
    this.#queue.push(entry);
    this.#loop ??= this.#work();
    return channel;
  }

  #checkRoom(source: StepSource<unknown>): void {
    const cost = source.waiting ?? NO_COST;
    if (!fits(cost, this.#limit)) {
      throw new SafeInferError(
        `an answer of ${cost.rows} rows and ${cost.tokens} tokens is more than this scheduler holds (${this.#limit.rows} and ${this.#limit.tokens})`,
        {
          code: 'BAD_ARGUMENT',
          hint: 'ask for fewer tokens, or raise maxRows and maxCachedTokens',
        },
      );
    }
    // Those that only wait for the next step have room; the others fill the queue.
    let total = this.#held();
    let waiting = 0;
    for (const { source: queued } of this.#queue) {
      total = plus(total, queued.waiting ?? NO_COST);
      if (!fits(total, this.#limit)) waiting++;
    }
    if (waiting < this.#maxQueue || fits(plus(total, cost), this.#limit)) return;
    throw new SafeInferError(`${waiting} requests are waiting already`, {
      code: 'BUSY',
      hint: 'try again later, or raise maxQueue',
    });
  }

  #held(): Cost {
    return [...this.#running].map(({ source }) => source.held).reduce(plus, NO_COST);
  }

  async #work(): Promise<void> {
    // Requests that arrive in the same turn of the event loop are prefilled together.
    await nextTurn();
    while (this.#running.size > 0 || this.#queue.length > 0) {
      this.#dropAborted();
      await this.#admit();
      if (this.#running.size > 0) await this.#step();
      await nextTurn();
    }
    // In the same turn as the check above: a request that comes later starts a new loop.
    this.#loop = undefined;
  }

  #dropAborted(): void {
    for (const entry of [...this.#running, ...this.#queue]) {
      const fired = entry.signal?.aborted === true;
      if (!entry.left && !fired && this.#closed !== 'was disposed') continue;
      entry.push(entry.source.abort(fired ? 'the signal fired' : 'nobody waits for it'));
      this.#leave(entry);
    }
  }

  #leave(entry: Entry): void {
    entry.end();
    entry.source[Symbol.dispose]();
    this.#running.delete(entry);
    const at = this.#queue.indexOf(entry);
    if (at >= 0) this.#queue.splice(at, 1);
  }

  /** Begins answers in the order of arrival while there is room; the first that does not fit holds up the rest. */
  async #admit(): Promise<void> {
    let total = this.#held();
    for (const entry of [...this.#running, ...this.#queue]) {
      for (let next = entry.source.waiting; next !== undefined; next = entry.source.waiting) {
        total = plus(total, next);
        if (!fits(total, this.#limit)) return;
        if (!this.#running.has(entry)) {
          this.#queue.splice(this.#queue.indexOf(entry), 1);
          this.#running.add(entry);
        }
        await this.#guard(entry, () => entry.source.begin());
        if (!this.#running.has(entry)) break;
      }
    }
  }

  async #step(): Promise<void> {
    const started = performance.now();
    const active = [...this.#running].reduce((n, { source }) => n + source.active, 0);
    const parts: { readonly entry: Entry; readonly work: StepWork<unknown> }[] = [];
    let made = 0;
    try {
      for (const entry of [...this.#running]) {
        const work = await this.#guard(entry, () => entry.source.prepare(active));
        if (work !== undefined) parts.push({ entry, work });
      }
      const requests = parts.flatMap(({ work }) => work.requests);
      const results =
        requests.length === 0
          ? []
          : await feed(requests, { signal: undefined, maxPrefillTokens: MAX_PREFILL_TOKENS });
      let at = 0;
      for (const { entry, work } of parts) {
        const own = results.slice(at, at + work.requests.length);
        at += work.requests.length;
        await this.#guard(entry, () => {
          const events = work.finish(own);
          made += events.length;
          entry.push(events);
        });
        if (this.#running.has(entry) && entry.source.done) {
          const seconds = (performance.now() - entry.joined) / 1000;
          this.#seconds += NEWEST * (seconds - this.#seconds);
          this.#leave(entry);
        }
      }
    } finally {
      for (const { work } of parts) work[Symbol.dispose]();
    }
    this.#steps++;
    this.#onStep?.({ ms: performance.now() - started, active, tokens: made });
  }

  /** A failure of one request ends that request. */
  async #guard<T>(entry: Entry, call: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      entry.fail(error);
      this.#leave(entry);
      return undefined;
    }
  }
}
