// Judges over answers that exist: nothing is generated, and verdicts that the store has are not asked for again.
import type { Judge, JudgeRequest, Verdict } from '@safeinfer/harmeval';
import { verdictOutcome } from '../benchmarks/outcome.ts';
import type { JudgeVerdict, TrialRecord } from '../run/trial-record.ts';
import type { RunItem } from './run-items.ts';

export interface NamedJudge {
  /** As records call it: with the model where one answers. */
  readonly name: string;
  readonly judge: Judge;
}

export interface JudgedRecord {
  readonly record: TrialRecord;
  /** In the order of the judges, those that do not apply left out. */
  readonly verdicts: readonly JudgeVerdict[];
  /** Verdicts that were asked for now. */
  readonly asked: number;
}

/** Records held at once: enough for the largest batch of an endpoint, few enough to stop soon. */
const AT_ONCE = 256;

export async function* judgeRecords(options: {
  readonly records: readonly TrialRecord[];
  readonly judges: readonly NamedJudge[];
  readonly itemOf: (record: TrialRecord) => RunItem;
  readonly signal: AbortSignal;
}): AsyncGenerator<JudgedRecord, void, undefined> {
  const { records, judges, itemOf, signal } = options;
  for (let from = 0; from < records.length; from += AT_ONCE) {
    const part = records
      .slice(from, from + AT_ONCE)
      .map((record) => ({ record, ...itemOf(record) }));
    const byJudge = await Promise.all(judges.map(({ judge }) => verdictsOf(judge, part, signal)));
    for (const [i, { record, item, benchmark }] of part.entries()) {
      const given = judges.flatMap(({ name }, j): { name: string; verdict: Verdict }[] => {
        const verdict = byJudge[j]![i];
        return verdict ? [{ name, verdict }] : [];
      });
      yield {
        record,
        verdicts: given.map(({ name, verdict }) => ({
          judge: name,
          status: verdict.status,
          outcome: verdictOutcome({
            verdict,
            trial: { item, response: answered(record) ? { text: record.output } : null },
            benchmark,
          }),
          ...(verdict.score === null ? {} : { score: verdict.score }),
        })),
        asked: given.filter(({ verdict }) => verdict.model !== undefined && verdict.attempts > 0)
          .length,
      };
    }
  }
}

/** A failed generation has no answer that a judge could see. */
function answered({ finishReason }: TrialRecord): boolean {
  return finishReason !== 'failed' && finishReason !== 'content_filter';
}

async function verdictsOf(
  judge: Judge,
  part: readonly (RunItem & { readonly record: TrialRecord })[],
  signal: AbortSignal,
): Promise<readonly (Verdict | undefined)[]> {
  const { id, version, promptSha, measures, model } = judge;
  const none: Verdict = {
    ...{ id, version, promptSha, measures },
    ...(model === undefined ? {} : { model }),
    status: 'no_response',
    label: null,
    score: null,
    raw: null,
    attempts: 0,
  };
  const verdicts: (Verdict | undefined)[] = part.map(({ item }) =>
    judge.appliesTo.includes(item.label) ? none : undefined,
  );
  const open = part.flatMap(({ item, record }, index) =>
    judge.appliesTo.includes(item.label) && answered(record) && record.output.trim() !== ''
      ? [{ index, request: requestOf(item, record) }]
      : [],
  );
  for (let from = 0; from < open.length; from += judge.batchSize) {
    const batch = open.slice(from, from + judge.batchSize);
    const answers = await judge.judge(
      batch.map(({ request }) => request),
      { signal },
    );
    for (const [i, { index }] of batch.entries()) verdicts[index] = answers[i];
  }
  return verdicts;
}

function requestOf(item: RunItem['item'], record: TrialRecord): JudgeRequest {
  return {
    item,
    messages: [{ role: 'user', content: record.prompt }],
    response: record.output,
    truncated: record.finishReason === 'length',
  };
}
