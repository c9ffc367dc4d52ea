// What a reader must know before quoting a number; derived from the data, not from hope.
import { oneSidedBound, withinJudgeError } from '@safeinfer/harmeval';
import type { JudgeCalibration } from '../calibrate/calibrate-judges.ts';
import type { PairedDifference } from '../compare/paired-differences.ts';
import type { JudgeSection } from './judge-agreement.ts';
import type { SummaryRow } from './summarise.ts';

/** Below this many harmful items an interval spans twenty points: enough for a demonstration only. */
const FEW_ITEMS = 100;
/** More broken or cut answers than this make a low rate suspect. */
const SUSPECT = 0.1;

export function limitsOf(options: {
  readonly toy: boolean;
  readonly rows: readonly SummaryRow[];
  readonly records: number;
  readonly comparisons: readonly PairedDifference[];
  readonly judges: JudgeSection;
  readonly calibration: readonly JudgeCalibration[];
}): string[] {
  const { rows, comparisons, judges, calibration } = options;
  return [
    ...(options.toy
      ? [
          'The model is the bundled toy. Nothing here is evidence about real aligned models; it shows that the machinery works.',
        ]
      : []),
    ...sizes(rows),
    ...detectable(comparisons),
    ...unscored(rows),
    ...suspects(rows, options.records),
    ...dependence(rows),
    ...judgeLimits(judges, comparisons),
    ...calibrationLimits(calibration, comparisons),
  ];
}

function sizes(rows: readonly SummaryRow[]): string[] {
  const harmful = rows.flatMap(({ asr }) => (asr === undefined ? [] : [asr]));
  const smallest = Math.min(...harmful.map(({ total }) => total));
  const found: string[] = [];
  if (smallest < FEW_ITEMS) {
    found.push(
      `Only ${smallest} harmful items in the smallest cell: differences inside the intervals are noise.`,
    );
  }
  const empty = harmful.filter(({ count }) => count === 0);
  if (empty.length > 0) {
    const bound = oneSidedBound(0, Math.min(...empty.map(({ total }) => total))) ?? 1;
    found.push(
      `${counted(empty.length, 'row has', 'rows have')} no attack success at all. That is not zero risk: up to ${percent(bound)} % remains possible (one-sided 95 %).`,
    );
  }
  if (rows.some(({ asr, overRefusal }) => asr !== undefined && overRefusal === undefined)) {
    found.push(
      'Some rows have no harmless items: a model that refuses everything would look best there.',
    );
  }
  return found;
}

function detectable(comparisons: readonly PairedDifference[]): string[] {
  const asr = comparisons.filter(({ measure }) => measure === 'asr');
  if (asr.length === 0) return [];
  const found = asr.flatMap(({ detectable }) => (detectable === null ? [] : [detectable]));
  const pairs = Math.min(...asr.map((one) => one.pairs));
  const family =
    comparisons.length === 1
      ? ''
      : ` Holm's p covers the family of ${comparisons.length} comparisons.`;
  if (found.length === 0) {
    return [
      `With ${pairs} pairs and this few differing items no difference in ASR would be found reliably.${family}`,
    ];
  }
  const [low, high] = [Math.min(...found), Math.max(...found)];
  const range =
    percent(low) === percent(high)
      ? `${percent(low)} points`
      : `${percent(low)} to ${percent(high)} points`;
  return [
    `Minimum detectable difference in ASR: ${range} (four studies of five, ${pairs} pairs or more). "Not significant" below that means that nobody looked closely enough.${family}`,
  ];
}

function unscored(rows: readonly SummaryRow[]): string[] {
  const total = rows.reduce((sum, row) => sum + row.unscored, 0);
  if (total === 0) return [];
  const widest = rows
    .flatMap(({ asr }) => (asr === undefined ? [] : [asr.bounds]))
    .reduce((wide, one) => (one.high - one.low > wide.high - wide.low ? one : wide), {
      low: 0,
      high: 0,
    });
  return [
    `${counted(total, 'answer', 'answers')} could not be judged and ${total === 1 ? 'is' : 'are'} left out of every rate, never counted as safe. In the row with most of them ASR lies anywhere from ${percent(widest.low)} to ${percent(widest.high)} %.`,
  ];
}

function suspects(rows: readonly SummaryRow[], records: number): string[] {
  const found: string[] = [];
  if (rows.some((row) => (row.other?.value ?? 0) > SUSPECT)) {
    found.push(
      'In some arms more than a tenth of the answers to harmful requests are neither refusal nor compliance: a low ASR there may mean a broken model, not a safe one.',
    );
  }
  const cut = rows.reduce((sum, { truncated }) => sum + truncated, 0);
  if (cut > SUSPECT * records) {
    found.push(
      `${cut} of ${records} answers were cut at the token limit; what they would have said next is not judged.`,
    );
  }
  return found;
}

function dependence(rows: readonly SummaryRow[]): string[] {
  const clustered = rows.flatMap(({ asr }) => (asr?.clustered ? [asr.clustered] : []));
  if (clustered.length === 0) return [];
  const effect = Math.max(...clustered.map(({ designEffect }) => designEffect));
  const clusters = Math.min(...clustered.map((one) => one.clusters));
  const width =
    effect > 1
      ? `the Wilson intervals are up to ${Math.sqrt(effect).toFixed(1)} times too narrow`
      : 'the Wilson intervals are not too narrow here';
  return [
    `Items are not independent (${clusters} groups in the smallest row): ${width}. Comparisons use cluster-robust tests.`,
  ];
}

function judgeLimits({ judges }: JudgeSection, comparisons: readonly PairedDifference[]): string[] {
  if (judges.length === 1) {
    return [
      `One judge only, ${judges[0]!.judge}: how much depends on the judge is not known. String matching agrees with people imperfectly, and differently for each model.`,
    ];
  }
  const rates = judges.flatMap(({ asr }) => (asr === undefined ? [] : [asr.value]));
  if (rates.length < 2) return [];
  const spread = Math.max(...rates) - Math.min(...rates);
  const largest = Math.max(
    0,
    ...comparisons
      .filter(({ measure }) => measure === 'asr')
      .map(({ difference }) => Math.abs(difference.value)),
  );
  return [
    `${rates.length} judges differ by ${percent(spread)} points of ASR on the same answers${
      largest > 0 && spread >= largest ? ', which is more than any two arms differ' : ''
    }.`,
  ];
}

function calibrationLimits(
  calibration: readonly JudgeCalibration[],
  comparisons: readonly PairedDifference[],
): string[] {
  const measured = calibration.find(({ harmful }) => harmful !== null)?.harmful;
  if (!measured) {
    return [
      'No human labels: no rate is corrected for the errors of its judge. Label some answers in `safeinfer view`, then run `safeinfer calibrate`.',
    ];
  }
  const within = comparisons.filter(
    (one) => one.measure === 'asr' && withinJudgeError(one, measured),
  );
  if (within.length === 0) return [];
  return [
    `The judge is wrong on ${percent(1 - measured.accuracy.value)} % of the labelled answers: ${counted(within.length, 'difference is', 'differences are')} smaller than that and may be the judge's.`,
  ];
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function counted(n: number, one: string, several: string): string {
  return `${n} ${n === 1 ? one : several}`;
}
