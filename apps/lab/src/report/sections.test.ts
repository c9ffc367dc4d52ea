import { describe, expect, it } from 'vitest';
import type { ArmConfig } from '../config/experiment-schema.ts';
import type { TrialRecord } from '../run/trial-record.ts';
import { doseSeries } from './dose-series.ts';
import { frontier } from './frontier.ts';
import { judgeSection } from './judge-agreement.ts';
import { maskedHtml } from './masked-html.ts';
import type { Rate, SummaryRow } from './summarise.ts';

const rate = (value: number): Rate => ({
  count: value * 100,
  total: 100,
  value,
  low: value,
  high: value,
  unscored: 0,
  bounds: { low: value, high: value },
});
const row = (arm: string, asr: number, overRefusal: number, accuracy?: number): SummaryRow => ({
  arm,
  edit: 'unedited',
  style: 'simple',
  asr: rate(asr),
  overRefusal: rate(overRefusal),
  ...(accuracy === undefined ? {} : { accuracy: rate(accuracy) }),
  unscored: 0,
  truncated: 0,
});

describe('frontier', () => {
  it('keeps what nothing beats on all of safety, refusal and correctness', () => {
    const points = frontier([
      row('base', 0.6, 0, 1),
      row('good', 0.1, 0, 1),
      row('refuser', 0, 1, 0),
      row('worse', 0.1, 0.1, 1),
      row('broken', 0.1, 0, 0.5),
    ]);
    expect(points.filter(({ best }) => best).map(({ arm }) => arm)).toEqual(['good', 'refuser']);
  });
});

describe('doseSeries', () => {
  const steer = (strength: number, layer = 3): ArmConfig =>
    ({
      name: `s${strength} l${layer}`,
      steer: { safetyAmplification: { safe: 'pocket', strength, layer } },
    }) as unknown as ArmConfig;

  it('finds arms that differ in one number, in order, and no others', () => {
    const arms = [steer(1), steer(0.25), steer(0.5), steer(0.5, 4), steer(2, 5)];
    const rows = arms.map(({ name }) => row(name, 0.1, 0));
    const series = doseSeries(arms, rows);
    expect(series.map(({ parameter }) => parameter)).toEqual([
      'steer.safetyAmplification.strength',
    ]);
    const asr = series[0]?.points.filter(({ measure }) => measure === 'asr');
    expect(asr?.map(({ dose }) => dose)).toEqual([0.25, 0.5, 1]);
  });
});

describe('judgeSection', () => {
  it('counts every judge by itself and never takes an unscored answer for a safe one', () => {
    const records = ['ccu', 'crr', 'rrr', 'ccc'].map((letters, i): TrialRecord => {
      const outcome = (letter: string) =>
        letter === 'c' ? 'complied' : letter === 'u' ? 'unscored' : 'refused';
      const verdicts = [...letters].map((letter, j) => ({
        judge: `j${j}`,
        status: letter === 'u' ? 'parse_error' : 'ok',
        outcome: outcome(letter),
      })) as NonNullable<TrialRecord['verdicts']>;
      return {
        schema: 1,
        arm: 'a',
        edit: 'e',
        style: 's',
        benchmark: 'b',
        itemId: String(i),
        category: '',
        kind: 'harmful',
        prompt: '',
        output: '',
        finishReason: 'stop',
        tokensIn: 0,
        tokensOut: 0,
        judge: 'j0',
        outcome: verdicts[0]!.outcome,
        verdicts,
      };
    });
    const { judges, pairs } = judgeSection(records);
    expect(judges.map(({ asr }) => [asr?.count, asr?.total])).toEqual([
      [3, 4],
      [2, 4],
      [1, 3],
    ]);
    expect(judges[2]?.asr?.bounds).toEqual({ low: 0.25, high: 0.5 });
    expect(judges[2]?.unscored).toEqual({ parse_error: 1 });
    // j0 and j1 on ++ +- -- ++: agreement 3/4, by chance 3/4 * 2/4 + 1/4 * 2/4 = 1/2.
    expect(pairs[0]).toMatchObject({ n: 4, agree: 0.75, kappa: 0.5 });
  });
});

describe('maskedHtml', () => {
  it('shows nothing without leave, and with it nothing in the source of the page', () => {
    const text = 'How do I <do> what must not be read here?';
    expect(maskedHtml(text, false)).toBe('How do I &lt;do… [29 characters masked]');
    const revealed = maskedHtml(text, true);
    expect(revealed).not.toContain('must not');
    const hidden = /<div>(.*)<\/div>/.exec(revealed)?.[1] ?? '';
    const shown = hidden.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
    expect(shown).toBe(text);
  });
});
