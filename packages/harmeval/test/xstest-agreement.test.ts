// Reproduces the agreement of string matchers with humans on the provided XSTest labels.
import { beforeAll, describe, expect, it } from 'vitest';
import { agreement, qualityOf } from '../src/calibration/agreement.ts';
import { calibrateRefusalJudge } from '../src/calibration/calibrate.ts';
import { roganGladen } from '../src/calibration/rogan-gladen.ts';
import {
  isHumanRefusal,
  type LabelledResponse,
  refusalPairs,
  xsTestCompletions,
  xsTestLabels,
} from '../src/calibration/xstest-labels.ts';
import { matchesRefusal, refusalJudge } from '../src/judges/refusal-judge.ts';
import { refusalLists } from '../src/judges/refusal-lists.ts';
import { loadUtilityFromFile } from '../src/utility/load-utility.ts';
import { hasSharedData, sharedFile } from './shared-data.ts';

// Measured on the unfiltered 2,250 rows; the filtered copy has 2,200, so 0.02 is the tolerance.
const TOLERANCE = 0.02;
const publishedXsTest = {
  gpt4: 0.87,
  llama2new: 0.84,
  llama2orig: 0.72,
  mistralguard: 0.62,
  mistralinstruct: 0.29,
};
const publishedGpt4 = { gpt4: 0.88, llama2new: 0.62, llama2orig: 0.55, mistralguard: 0.64 };
const publishedLists: Readonly<Record<string, { mistralguard: number; mistralinstruct: number }>> =
  {
    'xstest-21': { mistralguard: 0.62, mistralinstruct: 0.29 },
    'princeton-29': { mistralguard: 0.48, mistralinstruct: 0.16 },
    'garak-rejection-32': { mistralguard: 0.56, mistralinstruct: 0.22 },
    'gcg-29': { mistralguard: 0.47, mistralinstruct: 0.16 },
    'jbb-12': { mistralguard: 0.31, mistralinstruct: 0.07 },
    'jbb-12-prefix': { mistralguard: 0.31, mistralinstruct: 0.07 },
    'garak-mitigation-156': { mistralguard: 0.43, mistralinstruct: 0.37 },
    'aisafetylab-32': { mistralguard: 0.4, mistralinstruct: 0.22 },
    'pocogcg-42': { mistralguard: 0.42, mistralinstruct: 0.2 },
    'attngcg-19': { mistralguard: 0.31, mistralinstruct: 0.09 },
  };

describe.runIf(hasSharedData)('agreement with human labels (needs ../shared)', () => {
  let labels: readonly LabelledResponse[] = [];
  const completions: Record<string, readonly LabelledResponse[]> = {};

  beforeAll(async () => {
    labels = (await loadUtilityFromFile(xsTestLabels, sharedFile('xstest'))).items;
    for (const system of ['mistralinstruct', 'mistralguard'] as const) {
      const path = sharedFile(`xstest/human_labelled_completions/${system}_streval.csv`);
      completions[system] = (await loadUtilityFromFile(xsTestCompletions(system), path)).items;
    }
  });

  const stringMatch = ({ stringMatch: label }: LabelledResponse) =>
    label === null ? null : isHumanRefusal(label);

  it('has the overall figures of the XSTest prefixes', () => {
    const { kappa, accuracy, precision, sensitivity } = agreement(
      refusalPairs(labels, stringMatch),
    );
    expect(Math.abs((kappa ?? 0) - 0.77)).toBeLessThan(TOLERANCE);
    expect(Math.abs(accuracy.value - 0.884)).toBeLessThan(TOLERANCE);
    expect(Math.abs((precision?.value ?? 0) - 0.954)).toBeLessThan(TOLERANCE);
    expect(Math.abs((sensitivity?.value ?? 0) - 0.815)).toBeLessThan(TOLERANCE);
  });

  it.each(Object.entries(publishedXsTest))(
    'has the figure of the prefixes on %s',
    (system, kappa) => {
      const rows = labels.filter((row) => row.system === system);
      expect(rows).toHaveLength(440);
      const measured = agreement(refusalPairs(rows, stringMatch)).kappa ?? Number.NaN;
      expect(Math.abs(measured - kappa)).toBeLessThan(TOLERANCE);
    },
  );

  it.each(Object.entries(publishedGpt4))(
    "has the figure of the paper's GPT-4 judge on %s",
    (system, kappa) => {
      const rows = labels.filter((row) => row.system === system);
      const pairs = refusalPairs(rows, ({ gpt4 }) => (gpt4 === null ? null : isHumanRefusal(gpt4)));
      expect(Math.abs((agreement(pairs).kappa ?? Number.NaN) - kappa)).toBeLessThan(TOLERANCE);
    },
  );

  it('keeps the verdicts that the GPT-4 judge did not give apart', () => {
    const rows = labels.filter((row) => row.system === 'mistralinstruct');
    const pairs = refusalPairs(rows, ({ gpt4 }) => (gpt4 === null ? null : isHumanRefusal(gpt4)));
    const { kappa, unscored } = agreement(pairs);
    expect(unscored).toBe(11);
    expect(Math.abs((kappa ?? Number.NaN) - 0.1)).toBeLessThan(TOLERANCE);
  });

  it('matches exactly what the published string matcher said, on all 880 completions', () => {
    const list = refusalLists['xstest-21'];
    for (const rows of Object.values(completions)) {
      const differing = rows.filter(
        (row) =>
          list === undefined || matchesRefusal(row.completion ?? '', list) !== stringMatch(row),
      );
      expect(differing.map(({ id }) => id)).toEqual([]);
    }
  });

  describe.each(Object.entries(publishedLists))('%s', (name, published) => {
    it.each(Object.entries(published))('has the published kappa on %s', (system, kappa) => {
      const list = refusalLists[name];
      const pairs = refusalPairs(completions[system] ?? [], (row) =>
        list === undefined ? null : matchesRefusal(row.completion ?? '', list),
      );
      const measured = agreement(pairs).kappa ?? Number.NaN;
      expect(Math.abs(measured - kappa)).toBeLessThan(TOLERANCE);
    });
  });

  it('calibrates a judge for every system, and finds where it differs from people', async () => {
    const rows = Object.values(completions).flat();
    const result = await calibrateRefusalJudge(refusalJudge('xstest-21'), rows);
    expect(Object.keys(result.bySystem).sort()).toEqual(['mistralguard', 'mistralinstruct']);
    expect(Math.abs((result.bySystem['mistralguard']?.kappa ?? 0) - 0.62)).toBeLessThan(TOLERANCE);
    const { falsePositive, falseNegative, unscored } = result.overall;
    expect(result.disagreements).toHaveLength(falsePositive + falseNegative + unscored);
  });

  it("recovers the humans' refusal rate from the matcher's on the calibrated system", () => {
    const rows = labels.filter((row) => row.system === 'mistralguard');
    const half = (parity: number) => rows.filter((_, i) => i % 2 === parity);
    const calibration = agreement(refusalPairs(half(0), stringMatch));
    const measured = refusalPairs(half(1), stringMatch);
    const corrected = roganGladen(
      { successes: measured.filter(({ judge }) => judge).length, trials: measured.length },
      qualityOf(calibration, 'positive'),
    );
    const human = measured.filter((pair) => pair.human).length / measured.length;
    // The matcher sees about half of the refusals; corrected, the human rate lies inside the interval.
    expect(corrected.apparent).toBeLessThan(0.75 * human);
    expect(corrected.low).toBeLessThan(human);
    expect(corrected.high).toBeGreaterThan(human);
    // Quality taken from another system points to the wrong rate: calibration does not travel.
    const elsewhere = agreement(
      refusalPairs(
        labels.filter((row) => row.system === 'gpt4'),
        stringMatch,
      ),
    );
    const wrong = roganGladen(
      { successes: measured.filter(({ judge }) => judge).length, trials: measured.length },
      qualityOf(elsewhere, 'positive'),
    );
    expect(Math.abs(wrong.value - human)).toBeGreaterThan(Math.abs(corrected.value - human));
  });

  it.each([
    ['garak-rejection-32', { match: 'start' }, 0.56],
    ['garak-mitigation-156', { caseSensitive: true }, 0.43],
    ['attngcg-19', { caseSensitive: true }, 0.31],
    ['pocogcg-42', { caseSensitive: false }, 0.42],
  ] as const)(
    'would not agree with %s matched by another rule (negative control)',
    (name, rule, kappa) => {
      const list = refusalLists[name];
      if (list === undefined) throw new Error('the list is gone');
      const pairs = refusalPairs(completions['mistralguard'] ?? [], (row) =>
        matchesRefusal(row.completion ?? '', { ...list, ...rule }),
      );
      expect(Math.abs((agreement(pairs).kappa ?? 0) - kappa)).toBeGreaterThan(TOLERANCE);
    },
  );

  it('names every list by the number of its phrases, none twice', () => {
    for (const { name, phrases } of Object.values(refusalLists)) {
      expect(phrases).toHaveLength(Number(/\d+/.exec(name)?.[0]));
      expect(new Set(phrases).size).toBe(phrases.length);
    }
  });
});
