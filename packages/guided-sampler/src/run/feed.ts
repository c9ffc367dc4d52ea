// Feeds rows of any number of sequences and terms to their models, as few forward passes as possible.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { ForwardResult, Row, Transformer } from '@safeinfer/transformer';
import { TermScores } from '../formula/compile-formula.ts';
import type { StatsCollector } from './run-stats.ts';
import type { Sequence } from './sequence.ts';
import type { TermRow } from './term-row.ts';

/** Whose request it is: several generations share a pass. */
export interface FeedOwner {
  readonly stats: StatsCollector;
  /** Logits beyond it are padding of one of the models. */
  readonly vocabSize: number;
}

/** Wanted: the distributions after the last `want` of the tokens that the row has not seen, drafts included. */
export interface FeedRequest {
  readonly owner: FeedOwner;
  readonly sequence: Sequence;
  readonly termId: string;
  /** How many drafts of the sequence to feed. */
  readonly drafts: number;
  readonly want: number;
}

/** Padded prompt tokens of one pass; activations of a 1B model stay under about 1 GB. */
export const MAX_PREFILL_TOKENS: number = 4096;

/** Tokens from which a pass of their own costs less than their unembedding. */
const LONG_TAIL = 32;

export interface FeedOptions {
  readonly signal: AbortSignal | undefined;
  /** Prompt tokens of one pass: bounds the memory of prefill. */
  readonly maxPrefillTokens: number;
}

/** The distributions of one request, or why it has none: a bad row leaves the others of its pass alone. */
export interface FeedResult {
  readonly scores: readonly TermScores[];
  readonly failure: unknown;
}

/** @throws the failure of the request */
export function scoresOf(result: FeedResult): readonly TermScores[] {
  if (result.failure !== undefined) throw result.failure;
  return result.scores;
}

interface Out {
  readonly scores: TermScores[];
  failure: unknown;
}

interface Job {
  readonly request: FeedRequest;
  readonly row: TermRow;
  readonly tokens: readonly number[];
  readonly phase: 'prompt' | 'generation';
  /** Distributions to read from the end of this pass's tokens. */
  readonly want: number;
  readonly out: Out;
}

function toRow(job: Job): Row {
  const { spec } = job.row.term;
  const interventions =
    job.phase === 'generation' ? job.row.generationInterventions : spec.interventions;
  return {
    tokens: job.tokens,
    cache: job.row.cache,
    phase: job.phase,
    ...(spec.adapter === undefined ? {} : { adapter: spec.adapter }),
    ...(interventions === undefined ? {} : { interventions }),
  };
}

/** NaN and +Infinity are failures; -Infinity is a masked token. One pass, a fraction of the log-sum-exp's cost. */
function keep(job: Job, all: Float32Array, from: number): void {
  const logits = all.subarray(from, from + job.request.owner.vocabSize);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += logits[i] as number;
  if (Number.isNaN(sum) || sum === Number.POSITIVE_INFINITY) {
    job.out.failure ??= new SafeInferError(
      `term "${job.request.termId}" gave logits that are not finite`,
      {
        code: 'NON_FINITE',
        hint: 'check the steering strength and the adapter of this term, and the weights of its model',
      },
    );
  }
  job.out.scores.push(new TermScores(logits));
}

/** Reads the wanted distributions of every job of one pass. */
async function read(result: ForwardResult, jobs: readonly Job[], single: boolean): Promise<void> {
  if (single) {
    const stacked = result.lastLogits();
    const data = (await stacked.data()) as Float32Array;
    const width = stacked.shape[1];
    jobs.forEach((job, i) => {
      if (job.want > 0) keep(job, data, i * width);
    });
    return;
  }
  for (const [i, job] of jobs.entries()) {
    if (job.want === 0) continue;
    const logits = result.logits(i);
    const data = (await logits.data()) as Float32Array;
    const [rows, width] = logits.shape;
    for (let at = rows - job.want; at < rows; at++) {
      keep(job, data, at * width);
    }
  }
}

async function runPass(
  model: Transformer,
  jobs: readonly Job[],
  options: FeedOptions,
): Promise<void> {
  throwIfAborted(options.signal);
  const started = performance.now();
  const most = Math.max(...jobs.map((job) => job.want));
  const kind = most === 0 ? 'none' : most === 1 ? 'last' : 'all';
  let result: ForwardResult;
  try {
    result = model.forward(jobs.map(toRow), { logits: kind });
  } catch (error) {
    const [only, ...more] = jobs as [Job, ...Job[]];
    if (more.length === 0) {
      only.out.failure ??= error;
      return;
    }
    // One bad row fails the pass before anything is fed: the others go on without it.
    for (const job of jobs) await runPass(model, [job], options);
    return;
  }
  try {
    for (const job of jobs) job.row.advance(job.tokens.length);
    if (kind !== 'none') await read(result, jobs, kind === 'last');
  } finally {
    result.dispose();
  }
  const share = (performance.now() - started) / jobs.length;
  for (const stats of new Set(jobs.map((job) => job.request.owner.stats))) stats.passes++;
  for (const { request, tokens } of jobs) {
    const { stats } = request.owner;
    stats.add(request.termId, 'forwards', 1);
    stats.add(request.termId, 'tokens', tokens.length);
    stats.add(request.termId, 'ms', share);
  }
}

/** Groups by model; prompts are cut into passes of bounded size. */
async function runJobs(jobs: readonly Job[], options: FeedOptions): Promise<void> {
  for (const model of new Set(jobs.map((job) => job.row.term.spec.model))) {
    let batch: Job[] = [];
    let size = 0;
    const sound = jobs.filter((job) => job.out.failure === undefined);
    for (const job of sound.filter((j) => j.row.term.spec.model === model)) {
      if (batch.length > 0 && size + job.tokens.length > options.maxPrefillTokens) {
        await runPass(model, batch, options);
        batch = [];
        size = 0;
      }
      batch.push(job);
      size += job.tokens.length;
    }
    if (batch.length > 0) await runPass(model, batch, options);
  }
}

/**
 * Runs all requests and returns, for each, its `want` distributions in order. Prompts go first, in passes of their
 * own; generated tokens follow, several at once where a row has fallen behind.
 */
export async function feed(
  requests: readonly FeedRequest[],
  options: FeedOptions,
): Promise<readonly FeedResult[]> {
  const outs = requests.map((): Out => ({ scores: [], failure: undefined }));
  const rows = requests.map(({ sequence, termId }) => sequence.rows.get(termId) as TermRow);
  const plans = requests.map((request, i) => {
    const row = rows[i] as TermRow;
    return {
      request,
      row,
      out: outs[i] as Out,
      rest: request.sequence.pending(row, request.drafts),
    };
  });

  const prompts = plans.filter(({ row }) => row.promptPending);
  await runJobs(
    prompts.map(({ request, row, out, rest }): Job => {
      if (row.phaseless && request.want === 1) {
        // Nothing tells prompt and generation apart: what the row missed goes with its prompt.
        const tokens = [...row.prompt, ...rest];
        return { request, row, out, tokens, phase: 'prompt', want: 1 };
      }
      // The distribution after the prompt is wanted when the later tokens alone do not make up the number.
      const want = request.want > rest.length ? 1 : 0;
      return { request, row, out, tokens: row.prompt, phase: 'prompt', want };
    }),
    options,
  );

  // Where several distributions are wanted the pass unembeds all its tokens: long tails that nobody wants go before it.
  const behind = plans.flatMap(({ request, row, out }): Job[] => {
    const rest = request.sequence.pending(row, request.drafts);
    const needed = Math.min(request.want, rest.length);
    const early = rest.slice(0, rest.length - needed);
    const apart = row.oneByOne ? 0 : request.want === 1 ? Number.POSITIVE_INFINITY : LONG_TAIL;
    if (early.length <= apart) return [];
    return [{ request, row, out, tokens: early, phase: 'generation', want: 0 }];
  });
  for (const round of oneByOneRounds(behind)) await runJobs(round, options);

  const last = plans.flatMap(({ request, row, out }): Job[] => {
    const rest = request.sequence.pending(row, request.drafts);
    if (rest.length === 0) return [];
    const want = Math.min(request.want, rest.length);
    return [{ request, row, out, tokens: rest, phase: 'generation', want }];
  });
  for (const round of oneByOneRounds(last)) await runJobs(round, options);
  return outs;
}

/** Splits jobs of rows that must be fed token by token into rounds; the others run whole in the first round. */
function oneByOneRounds(jobs: readonly Job[]): readonly (readonly Job[])[] {
  const rounds: Job[][] = [];
  for (const job of jobs) {
    const pieces = job.row.oneByOne
      ? job.tokens.map(
          (token, i): Job => ({
            ...job,
            tokens: [token],
            want: i >= job.tokens.length - job.want ? 1 : 0,
          }),
        )
      : [job];
    pieces.forEach((piece, i) => {
      const round = rounds[i] ?? [];
      rounds[i] = round;
      round.push(piece);
    });
  }
  return rounds;
}
