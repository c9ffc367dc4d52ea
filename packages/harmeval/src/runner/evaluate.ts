// The runner: questions in, typed records out. It stores nothing and prints nothing.
import type PQueue from 'p-queue';
import { deriveSeed } from '../canonical-hash.ts';
import type { Dataset } from '../datasets/dataset.ts';
import type { Item } from '../datasets/item.ts';
import { type Generate, promptText, type Sampling } from '../generate.ts';
import { callQueue } from '../generate-rows.ts';
import { HarmEvalError, throwIfAborted } from '../harm-eval-error.ts';
import { identityOf, type Judge } from '../judges/judge.ts';
import { defaultRetryPolicy, type RetryPolicy } from '../retry-policy.ts';
import type { PromptStyle } from '../styles/prompt-style.ts';
import type { Attacker } from './attacker.ts';
import { type Conversation, converse } from './converse.ts';
import { judgeRows } from './judge-rows.ts';
import type { DoneRecord, EvalRecord, PlanRecord, TrialRecord } from './records.ts';
import { textQuality } from './text-quality.ts';

export interface EvaluateOptions {
  readonly generate: Generate;
  readonly dataset: Dataset;
  readonly style: PromptStyle;
  readonly judges: readonly Judge[];
  readonly attacker?: Attacker;
  readonly sampling?: Sampling;
  /** Seed of the whole run; each item gets its own seed from it, the same in every arm. Default 0. */
  readonly seed?: number;
  /** Answers per item; above 1 the items are clusters. Default 1. */
  readonly repeats?: number;
  /** Calls of the generator in flight, instead of what it declares. Order of records is the same. */
  readonly concurrency?: number;
  readonly retry?: Partial<RetryPolicy>;
  /** Ids of items that built the intervention (demonstrations, adapters). Scoring one is refused: `LEAK`. */
  readonly builtFrom?: Iterable<string>;
  /** Stop with `TOO_MANY_ERRORS` when more trials than this have failed. Default: never. */
  readonly maxFailures?: number;
  readonly signal?: AbortSignal;
}

interface Trial {
  readonly index: number;
  readonly item: Item;
  readonly repeat: number;
  readonly seed: number;
}

/**
 * Asks every item, judges every answer, and yields one record per trial in plan order. Records do not depend on batch
 * size or concurrency. Nothing is lost: a trial whose generation failed is yielded with unscored verdicts.
 * @throws HarmEvalError `LEAK`, `BAD_ARGUMENT` before the first call; `ABORTED`, `TOO_MANY_ERRORS` while running
 */
export async function* evaluate(
  options: EvaluateOptions,
): AsyncGenerator<EvalRecord, void, undefined> {
  const { dataset, generate, judges, signal } = options;
  const repeats = positive(options.repeats ?? 1, 'repeats');
  const concurrency = positive(options.concurrency ?? generate.concurrency ?? 1, 'concurrency');
  const batchSize = positive(generate.batchSize ?? 1, 'batchSize');
  // Judges that are models see as many answers at once as they take; string matchers never delay a record.
  const chunk = judges.reduce(
    (size, judge) => (judge.model === undefined ? size : Math.max(size, judge.batchSize)),
    batchSize,
  );
  const seed = options.seed ?? 0;
  refuseLeaks(dataset, options.builtFrom ?? []);
  throwIfAborted(signal);
  const total = dataset.items.length * repeats;
  yield plan(options, { seed, repeats, total });

  const totals = {
    trials: 0,
    failed: 0,
    attempts: 0,
    turns: 0,
    judgeRetries: 0,
    cached: 0,
    tokensIn: 0,
    tokensOut: 0,
  };
  const queue = callQueue(generate, concurrency);
  // Generating ahead while judges read helps when one of the two is remote; two local models would only share one device.
  const remote = concurrency > 1 || judges.some((judge) => (judge.concurrency ?? 1) > 1);
  const lookahead = remote ? 2 * concurrency : 1;
  // Leaving the loop early must not leave calls running behind the caller's back.
  const stop = new AbortController();
  const running: EvaluateOptions = {
    ...options,
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
  };
  const inFlight: Promise<readonly TrialRecord[]>[] = [];
  try {
    const batches = trialBatches(dataset.items, { repeats, seed, batchSize: chunk });
    for (;;) {
      while (inFlight.length < lookahead) {
        const batch = batches.next();
        if (batch.done === true) break;
        const records = runBatch(batch.value, running, queue);
        // A later batch may fail while an earlier one is awaited; its error is reported in its turn.
        records.catch(() => undefined);
        inFlight.push(records);
      }
      const first = inFlight.shift();
      if (first === undefined) break;
      for (const record of await first) {
        totals.trials += 1;
        totals.failed += record.response === null ? 1 : 0;
        totals.attempts += record.attempts;
        totals.turns += record.turns;
        totals.cached += record.cached ? 1 : 0;
        totals.tokensIn += record.usage.tokensIn ?? 0;
        totals.tokensOut += record.usage.tokensOut ?? 0;
        for (const { attempts } of record.verdicts)
          totals.judgeRetries += Math.max(0, attempts - 1);
        yield record;
        throwIfAborted(signal);
        refuseTooManyFailures(totals, options.maxFailures);
      }
    }
  } finally {
    stop.abort('the loop over the records ended');
    await Promise.allSettled(inFlight);
  }
  const done: DoneRecord = {
    type: 'done',
    trials: totals.trials,
    failed: totals.failed,
    generationAttempts: totals.attempts,
    generationRetries: totals.attempts - totals.turns,
    judgeRetries: totals.judgeRetries,
    cached: totals.cached,
    usage: { tokensIn: totals.tokensIn, tokensOut: totals.tokensOut },
  };
  yield done;
}

function plan(
  options: EvaluateOptions,
  run: { readonly seed: number; readonly repeats: number; readonly total: number },
): PlanRecord {
  const { dataset, style, attacker, judges, generate, sampling } = options;
  return {
    type: 'plan',
    dataset: {
      name: dataset.name,
      revision: dataset.revision,
      items: dataset.items.length,
      split: dataset.split,
      report: dataset.report,
    },
    style: { id: style.id, version: style.version },
    attacker: attacker === undefined ? null : { id: attacker.id, version: attacker.version },
    judges: judges.map(identityOf),
    generator: generate.fingerprint ?? null,
    sampling: sampling ?? {},
    seed: run.seed,
    repeats: run.repeats,
    trials: run.total,
  };
}

function* trialBatches(
  items: readonly Item[],
  run: { readonly repeats: number; readonly seed: number; readonly batchSize: number },
): Generator<readonly Trial[], void, undefined> {
  let batch: Trial[] = [];
  let index = 0;
  for (const item of items) {
    for (let repeat = 0; repeat < run.repeats; repeat += 1) {
      batch.push({
        index,
        item,
        repeat,
        seed: deriveSeed({ run: run.seed, item: item.id, repeat }),
      });
      index += 1;
      if (batch.length === run.batchSize) {
        yield batch;
        batch = [];
      }
    }
  }
  if (batch.length > 0) yield batch;
}

async function runBatch(
  batch: readonly Trial[],
  options: EvaluateOptions,
  queue: PQueue,
): Promise<readonly TrialRecord[]> {
  const { generate, style, judges, attacker, signal } = options;
  const conversations = await converse(
    batch.map(({ item, repeat, seed }) => ({
      id: `${item.id}/${repeat}`,
      item,
      seed,
      rendered: style.render(item, { seed }),
    })),
    {
      generate,
      attacker,
      sampling: options.sampling ?? {},
      policy: { ...defaultRetryPolicy, ...options.retry },
      signal,
      queue,
    },
  );
  const verdicts = await judgeRows(
    batch.map(({ item }, i) => {
      const { result, transcript } = conversations[i] as Conversation;
      return {
        request: {
          item,
          messages: result === null ? transcript : transcript.slice(0, -1),
          response: result?.text ?? '',
          truncated: result?.finishReason === 'length',
        },
        answered:
          result !== null && result.finishReason !== 'content_filter' && result.text.trim() !== '',
      };
    }),
    judges,
    signal,
  );
  return batch.map((trial, i) => {
    const { result, ...rest } = conversations[i] as Conversation;
    return {
      type: 'trial',
      ...trial,
      ...rest,
      response:
        result === null
          ? null
          : {
              text: result.text,
              finishReason: result.finishReason,
              quality: textQuality(result.text, promptText(rest.prompt)),
            },
      verdicts: verdicts[i] ?? [],
    };
  });
}

function positive(value: number, name: string): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new HarmEvalError(`${name} is ${value}`, {
    code: 'BAD_ARGUMENT',
    hint: `${name} is a whole number, 1 or more`,
  });
}

function refuseLeaks(dataset: Dataset, builtFrom: Iterable<string>): void {
  const built = new Set(builtFrom);
  const leaked = dataset.items.filter((item) => built.has(item.id));
  if (leaked.length === 0) return;
  throw new HarmEvalError(
    `${leaked.length} of ${dataset.items.length} items of ${dataset.name} were used to build what is tested (first: ${leaked[0]?.id ?? ''})`,
    {
      code: 'LEAK',
      hint: "score selectPart(dataset, 'test') and build from selectPart(dataset, 'build')",
    },
  );
}

function refuseTooManyFailures(
  totals: { readonly trials: number; readonly failed: number },
  limit: number | undefined,
): void {
  if (limit === undefined || totals.failed <= limit) return;
  throw new HarmEvalError(`${totals.failed} of ${totals.trials} trials failed`, {
    code: 'TOO_MANY_ERRORS',
    hint: 'look at the failures of the yielded records, or raise maxFailures',
  });
}
