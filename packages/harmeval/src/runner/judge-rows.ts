// Gives answers to the judges that may see them, and turns every missing answer into an unscored verdict.
import { HarmEvalError, throwIfAborted } from '../harm-eval-error.ts';
import { identityOf, type Judge, type JudgeRequest } from '../judges/judge.ts';
import type { Verdict } from '../judges/verdict.ts';

export interface JudgeableRow {
  readonly request: JudgeRequest;
  /** False: there is nothing to judge, every applicable judge gets a `no_response` verdict. */
  readonly answered: boolean;
}

/** Verdicts per row, in the order of `judges`, judges that do not apply left out. */
export async function judgeRows(
  rows: readonly JudgeableRow[],
  judges: readonly Judge[],
  signal: AbortSignal | undefined,
): Promise<readonly (readonly Verdict[])[]> {
  const byJudge = await Promise.all(judges.map((judge) => verdictsOf(judge, rows, signal)));
  return rows.map((_, index) =>
    byJudge.flatMap((verdicts) => {
      const verdict = verdicts[index];
      return verdict === undefined || verdict === null ? [] : [verdict];
    }),
  );
}

async function verdictsOf(
  judge: Judge,
  rows: readonly JudgeableRow[],
  signal: AbortSignal | undefined,
): Promise<readonly (Verdict | null)[]> {
  const verdicts: (Verdict | null)[] = rows.map(({ request, answered }) =>
    judge.appliesTo.includes(request.item.label) && !answered
      ? {
          ...identityOf(judge),
          status: 'no_response',
          label: null,
          score: null,
          raw: null,
          attempts: 0,
        }
      : null,
  );
  const open = rows.flatMap(({ request, answered }, index) =>
    answered && judge.appliesTo.includes(request.item.label) ? [{ request, index }] : [],
  );
  for (let from = 0; from < open.length; from += judge.batchSize) {
    throwIfAborted(signal);
    const part = open.slice(from, from + judge.batchSize);
    const answers = await answersOf(
      judge,
      part.map(({ request }) => request),
      signal,
    );
    if (answers.length !== part.length) {
      throw new HarmEvalError(
        `judge ${judge.id} gave ${answers.length} verdicts for ${part.length} requests`,
        {
          code: 'BAD_ARGUMENT',
          hint: 'a judge returns one verdict per request, in order: this judge is broken',
        },
      );
    }
    part.forEach(({ index }, i) => {
      verdicts[index] = answers[i] ?? null;
    });
  }
  return verdicts;
}

/** A judge that throws breaks its contract, but must not take the answers with it: they become unscored. */
async function answersOf(
  judge: Judge,
  requests: readonly JudgeRequest[],
  signal: AbortSignal | undefined,
): Promise<readonly Verdict[]> {
  try {
    return await judge.judge(requests, signal === undefined ? {} : { signal });
  } catch (error) {
    throwIfAborted(signal);
    if (HarmEvalError.isInstance(error)) throw error;
    return requests.map(() => ({
      ...identityOf(judge),
      status: 'api_error',
      label: null,
      score: null,
      raw: null,
      attempts: 1,
      error: error instanceof Error ? error.message : String(error),
    }));
  }
}
