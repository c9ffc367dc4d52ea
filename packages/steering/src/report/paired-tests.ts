// Steering against every other arm on the same items: exact McNemar, corrected by Holm over the random vectors.
import { areVerdict } from './arm-answers.ts';
import { holm, mcNemar } from './statistics.ts';

export interface PairedTest {
  readonly against: string;
  readonly on: 'harmful refused' | 'benign refused' | 'benign correct';
  /** Items on which only steering, and only the other arm, was so. */
  readonly onlySteered: number;
  readonly onlyOther: number;
  /** Two-sided exact McNemar. */
  readonly p: number;
  /** Holm-corrected over the random vectors; absent for other arms, which are one comparison each. */
  readonly holm?: number;
}

interface ComparedArm {
  readonly name: string;
  readonly harmfulVerdicts?: string;
  readonly benignVerdicts?: string;
  readonly benignCorrect?: readonly boolean[] | undefined;
}

export const isRandom = ({ name }: { readonly name: string }): boolean => /^random /.test(name);

/** All comparisons of `steered` with the others on what both were asked. */
export function pairedTests(steered: ComparedArm, others: readonly ComparedArm[]): PairedTest[] {
  const refused = (verdicts: string | undefined): boolean[] | undefined =>
    verdicts ? areVerdict(verdicts, 'R') : undefined;
  const measures: readonly [
    PairedTest['on'],
    (arm: ComparedArm) => readonly boolean[] | undefined,
  ][] = [
    ['harmful refused', (arm) => refused(arm.harmfulVerdicts)],
    ['benign refused', (arm) => refused(arm.benignVerdicts)],
    ['benign correct', (arm) => arm.benignCorrect],
  ];
  return measures.flatMap(([on, of]) => {
    const own = of(steered);
    if (!own) return [];
    const tests = others.flatMap((arm): (PairedTest & { readonly random: boolean })[] => {
      const other = of(arm);
      if (!other) return [];
      return [
        {
          against: arm.name,
          on,
          onlySteered: own.filter((value, i) => value && !other[i]).length,
          onlyOther: other.filter((value, i) => value && !own[i]).length,
          p: mcNemar(other, own),
          random: isRandom(arm),
        },
      ];
    });
    const corrected = holm(tests.filter(({ random }) => random).map(({ p }) => p));
    let next = 0;
    return tests.map(({ random, ...test }) =>
      random ? { ...test, holm: corrected[next++]! } : test,
    );
  });
}
