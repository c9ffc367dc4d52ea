// Signs that an edit failed or broke the model, each with its number and limit.

export type AlarmKind =
  | 'denominator'
  | 'keyCosine'
  | 'relativeNorm'
  | 'subjectFirst'
  | 'targetProbability'
  | 'perplexityDrift';

export interface EditAlarm {
  readonly kind: AlarmKind;
  readonly value: number;
  readonly limit: number;
  readonly message: string;
}

export interface EditMeasures {
  /** |u . k| / |k|; ROME only. */
  readonly relativeDenominator?: number;
  /** cos(averaged key, bare key); ROME only. */
  readonly keyCosine?: number;
  /** Largest |dW| / |W| over the changed weights. */
  readonly relativeNorm: number;
  /** How many subjects open their prompt. */
  readonly subjectFirst: number;
  /** Smallest probability of a new target after the edit, per token (geometric mean). */
  readonly targetProbability?: number;
  /** Perplexity after / before, on texts the caller gave. */
  readonly perplexityRatio?: number;
}

/**
 * Limits are rules of thumb: ordinary edits stay far inside, the collapses reported for ROME lie far outside
 * (a denominator near 0, the averaged and the bare key unrelated, a change as large as the weight).
 */
export const ALARM_LIMITS = {
  relativeDenominator: 0.01,
  keyCosine: 0.5,
  relativeNorm: 0.5,
  targetProbability: 0.5,
  perplexityRatio: 1.1,
} as const;

export function editAlarms(measures: EditMeasures): EditAlarm[] {
  const alarms: EditAlarm[] = [];
  const below = (kind: AlarmKind, value: number | undefined, limit: number, message: string) => {
    if (value !== undefined && !(value >= limit)) alarms.push({ kind, value, limit, message });
  };
  const above = (kind: AlarmKind, value: number | undefined, limit: number, message: string) => {
    if (value !== undefined && !(value <= limit)) alarms.push({ kind, value, limit, message });
  };
  below(
    'denominator',
    measures.relativeDenominator,
    ALARM_LIMITS.relativeDenominator,
    'the update is divided by almost nothing: use keys "averaged"',
  );
  below(
    'keyCosine',
    measures.keyCosine,
    ALARM_LIMITS.keyCosine,
    'the key behind prefixes and the bare key differ: the edit may not hold in other contexts',
  );
  above(
    'relativeNorm',
    measures.relativeNorm,
    ALARM_LIMITS.relativeNorm,
    'the change is large beside the weight: expect damage elsewhere',
  );
  above(
    'subjectFirst',
    measures.subjectFirst,
    0,
    'a subject opens its prompt, where keys are unusual: use keys "averaged" and check the bare prompt',
  );
  below(
    'targetProbability',
    measures.targetProbability,
    ALARM_LIMITS.targetProbability,
    'the new object is not likely after the edit: do not count it as successful',
  );
  above(
    'perplexityDrift',
    measures.perplexityRatio,
    ALARM_LIMITS.perplexityRatio,
    'perplexity on unrelated texts rose: undo the edit or accept the damage knowingly',
  );
  return alarms;
}
