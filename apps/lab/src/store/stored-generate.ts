// Answers from the store where it has them, and the new ones collected, so that a unit is written in one transaction.
import { SafeInferError } from '@safeinfer/backend';
import {
  defineGenerate,
  type Generate,
  GenerateFailure,
  type GenerateRequest,
  type GenerateResult,
} from '@safeinfer/harmeval';
import { type AnswerContext, answerKeys } from './answer-key.ts';
import type { Store, StoredFailure } from './open-store.ts';

/** What a unit of work produced. */
export interface Collected {
  readonly answers: Map<string, GenerateResult>;
  readonly failures: Map<string, StoredFailure>;
  /** The first error of all, for the message when there are too many. */
  error: unknown;
  /** An error that stops the run, whatever is tolerated. */
  fatal: unknown;
}

export function collected(): Collected {
  return { answers: new Map(), failures: new Map(), error: undefined, fatal: undefined };
}

type Known = Pick<Store, 'get' | 'failure'>;

/** Codes that say something of the model or the run, not of one row. */
const FATAL: ReadonlySet<string> = new Set([
  'NON_FINITE',
  'ABORTED',
  'DISPOSED',
  'ALLOCATION_LIMIT',
  'UNKNOWN_HOOK',
  'HOOK_RESULT',
]);

/**
 * Rows that are stored are not generated; equal rows of a batch are generated once. Requests of a batch are either all
 * known or all unknown when a run is repeated, so a resumed run computes the same batches as an uninterrupted one.
 */
export function collectingGenerate(options: {
  readonly generate: Generate;
  readonly context: AnswerContext;
  readonly store: Known | undefined;
  readonly into: Collected;
}): Generate {
  const { generate, context, store, into } = options;
  return defineGenerate(
    async (requests, callOptions) => {
      const keys = requests.map(({ prompt }) => answerKeys(context, prompt));
      const known = (own: readonly string[]): GenerateResult | undefined =>
        into.answers.get(own[0]!) ?? firstOf(store, own);
      const open = new Map<string, GenerateRequest>();
      for (const [i, own] of keys.entries()) {
        throwIfFailed(own, store, into);
        if (known(own) === undefined) open.set(own[0]!, requests[i]!);
      }
      if (open.size > 0) {
        try {
          const fresh = await generate([...open.values()], callOptions);
          for (const [i, key] of [...open.keys()].entries()) into.answers.set(key, fresh[i]!);
        } catch (error) {
          note(error, open, into);
          throw error;
        }
      }
      return keys.map((own) => known(own)!);
    },
    generate.batchSize === undefined ? {} : { batchSize: generate.batchSize },
  );
}

/** Stored answers only: what is not there fails. */
export function storedGenerate(options: {
  readonly context: AnswerContext;
  readonly store: Known;
  readonly batchSize: number;
}): Generate {
  const { context, store, batchSize } = options;
  return defineGenerate(
    async (requests) =>
      requests.map(({ prompt }) => {
        const keys = answerKeys(context, prompt);
        const answer = firstOf(store, keys);
        if (answer !== undefined) return answer;
        const failure = store.failure(keys[0]!);
        throw new GenerateFailure(failure?.message ?? 'the answer is not in the store', {
          failureClass: 'permanent',
        });
      }),
    { batchSize },
  );
}

function firstOf(store: Known | undefined, keys: readonly string[]): GenerateResult | undefined {
  for (const key of keys) {
    const found = store?.get(key);
    if (found !== undefined) return found as GenerateResult;
  }
  return undefined;
}

function throwIfFailed(keys: readonly string[], store: Known | undefined, into: Collected): void {
  const failure = into.failures.get(keys[0]!) ?? store?.failure(keys[0]!);
  if (failure) throw new GenerateFailure(failure.message, { failureClass: 'permanent' });
}

/** Only a row that fails alone is a failure of its own: the others of its batch are tried again, one by one. */
function note(error: unknown, open: ReadonlyMap<string, GenerateRequest>, into: Collected): void {
  into.error ??= error;
  if (SafeInferError.isInstance(error) && FATAL.has(error.code)) into.fatal ??= error;
  const [key] = open.keys();
  if (open.size !== 1 || key === undefined || into.fatal !== undefined) return;
  into.failures.set(key, {
    failureClass: 'permanent',
    message: error instanceof Error ? error.message : String(error),
  });
}
