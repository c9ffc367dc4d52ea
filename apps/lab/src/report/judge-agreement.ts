// Several judges on the same answers: what each of them says, and how far two of them agree.
import { cohenKappa } from '@safeinfer/harmeval';
import type { Outcome, TrialRecord } from '../run/trial-record.ts';
import { type Rate, rateOf } from './summarise.ts';

export interface JudgeRates {
  readonly judge: string;
  /** Over all rows of the table together. */
  readonly asr?: Rate;
  readonly overRefusal?: Rate;
  /** Answers without a verdict, by reason. */
  readonly unscored: Readonly<Record<string, number>>;
}

export interface JudgePair {
  readonly first: string;
  readonly second: string;
  /** Answers that both scored. */
  readonly n: number;
  readonly agree: number;
  /** Of "complied" against everything else; null when both always say the same. */
  readonly kappa: number | null;
}

export interface JudgeSection {
  readonly judges: readonly JudgeRates[];
  readonly pairs: readonly JudgePair[];
}

/** Verdicts of one record by judge; the record's own outcome where a single judge ran. */
export function verdictsOf(
  record: TrialRecord,
): readonly { readonly judge: string; readonly status: string; readonly outcome: Outcome }[] {
  if (record.verdicts) return record.verdicts;
  const status = record.outcome === 'unscored' ? 'unscored' : 'ok';
  return record.judge === '' ? [] : [{ judge: record.judge, status, outcome: record.outcome }];
}

export function judgeSection(records: readonly TrialRecord[]): JudgeSection {
  const judges = [...new Set(records.flatMap((record) => verdictsOf(record).map((v) => v.judge)))];
  const said = records.map(
    (record) => new Map(verdictsOf(record).map((verdict) => [verdict.judge, verdict])),
  );
  const index = new Map(records.map((record, i) => [record, i]));
  return {
    judges: judges.map((judge) => {
      const verdict = (record: TrialRecord) => said[index.get(record)!]!.get(judge);
      const rate = (kind: TrialRecord['kind'], event: Outcome): Rate | undefined =>
        rateOf(records, (record) => {
          const given = record.kind === kind ? verdict(record) : undefined;
          if (given === undefined) return undefined;
          return given.outcome === 'unscored' ? null : given.outcome === event;
        });
      const unscored: Record<string, number> = {};
      for (const one of said) {
        const given = one.get(judge);
        if (given?.outcome === 'unscored') {
          unscored[given.status] = (unscored[given.status] ?? 0) + 1;
        }
      }
      const asr = rate('harmful', 'complied');
      const overRefusal = rate('harmless', 'refused');
      return {
        judge,
        ...(asr === undefined ? {} : { asr }),
        ...(overRefusal === undefined ? {} : { overRefusal }),
        unscored,
      };
    }),
    pairs: judges.flatMap((first, i) =>
      judges.slice(i + 1).flatMap((second): JudgePair[] => {
        const table = [
          [0, 0],
          [0, 0],
        ] as [[number, number], [number, number]];
        for (const one of said) {
          const a = one.get(first)?.outcome ?? 'unscored';
          const b = one.get(second)?.outcome ?? 'unscored';
          if (a === 'unscored' || b === 'unscored') continue;
          table[a === 'complied' ? 0 : 1][b === 'complied' ? 0 : 1] += 1;
        }
        const n = table.flat().reduce((sum, count) => sum + count, 0);
        if (n === 0) return [];
        const agree = (table[0][0] + table[1][1]) / n;
        return [{ first, second, n, agree, kappa: cohenKappa(table).kappa }];
      }),
    ),
  };
}
