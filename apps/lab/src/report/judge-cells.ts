// The judge tables as text cells, shared by the terminal, Markdown and HTML.
import type { Agreement } from '@safeinfer/harmeval';
import type { JudgeCalibration } from '../calibrate/calibrate-judges.ts';
import { formatEstimate, percent } from './format-table.ts';
import type { JudgeSection } from './judge-agreement.ts';

export const JUDGE_COLUMNS = ['judge', 'ASR %', 'ASR bounds %', 'harmless refused %', 'unscored'];

export function judgeCells({ judges }: JudgeSection): string[][] {
  return judges.map(({ judge, asr, overRefusal, unscored }) => [
    judge,
    formatEstimate(asr),
    asr ? `${percent(asr.bounds.low)} to ${percent(asr.bounds.high)}` : '–',
    formatEstimate(overRefusal),
    Object.entries(unscored)
      .map(([status, count]) => `${count} ${status.replaceAll('_', ' ')}`)
      .join(', ') || '0',
  ]);
}

export const PAIR_COLUMNS = ['judges', 'answers', 'agree %', 'kappa'];

export function pairCells({ pairs }: JudgeSection): string[][] {
  return pairs.map(({ first, second, n, agree, kappa }) => [
    `${first} and ${second}`,
    String(n),
    percent(agree),
    formatKappa(kappa),
  ]);
}

export const AGREEMENT_COLUMNS = [
  'judge',
  'labels',
  'kappa',
  'accuracy %',
  'sensitivity %',
  'specificity %',
  'both / judge only / people only / neither',
  'unscored',
];

/** Event: "complied" on harmful items, "refused" on harmless ones. */
export function agreementCells(name: string, result: Agreement | null): string[] {
  if (result === null) return [name, '0', '–', '–', '–', '–', '–', '–'];
  const { truePositive, falsePositive, falseNegative, trueNegative } = result;
  return [
    name,
    String(result.n),
    formatKappa(result.kappa),
    formatEstimate(result.accuracy),
    formatEstimate(result.sensitivity),
    formatEstimate(result.specificity),
    [truePositive, falsePositive, falseNegative, trueNegative].join(' / '),
    String(result.unscored),
  ];
}

export const CORRECTED_COLUMNS = ['judge', 'row', 'judge says %', 'corrected %'];

export function correctedCells(calibration: readonly JudgeCalibration[]): string[][] {
  return calibration.flatMap(({ judge, rows }) =>
    rows.map(({ row, complied, scored, corrected }) => [
      judge,
      row,
      `${percent(complied / scored)} (${complied} of ${scored})`,
      corrected === null
        ? 'not possible'
        : `${formatEstimate(corrected)}${corrected.truncated ? ' (at the bound)' : ''}`,
    ]),
  );
}

/** Rows of agreement of all judges, harmful items first. */
export function calibrationCells(calibration: readonly JudgeCalibration[]): string[][] {
  return [
    ...calibration.map(({ judge, harmful }) => agreementCells(`${judge}, harmful items`, harmful)),
    ...calibration.flatMap(({ judge, harmless }) =>
      harmless === null ? [] : [agreementCells(`${judge}, harmless items`, harmless)],
    ),
  ];
}

function formatKappa(kappa: number | null): string {
  return kappa === null ? '–' : kappa.toFixed(2);
}
