import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  HARMFUL_TOKENS,
  HARMLESS_TOKENS,
  plantedRefusal,
  REFUSAL_TOKEN,
} from '../../test/planted-models.ts';
import type { SteeringPlan } from '../plan/steering-plan.ts';
import { doseResponseSvg, effectHistogramSvg, headHeatMapSvg } from './charts.ts';
import { randomPlan } from './control-plans.ts';
import { pairedTests } from './paired-tests.ts';
import { preflight } from './preflight.ts';
import { startsLikeRefusal } from './refusal-prefix.ts';
import { distinctShare, longestRepeat } from './repetition.ts';
import { reportMarkdown } from './report-markdown.ts';
import { dominantScript, languageChange } from './script-change.ts';
import { holm } from './statistics.ts';
import { steeringReport } from './steering-report.ts';
import { sweepSvg } from './sweep-chart.ts';

beforeAll(() => useBackend({ name: 'cpu' }));

const rows = (endings: readonly number[]) =>
  endings.map((token, i) => ({ tokens: [40 + i, token] }));

describe('the report', () => {
  it('shows a planted direction to work, controls beside it, and calls a random one not shown', async () => {
    const { model, direction } = plantedRefusal();
    try {
      const plan: SteeringPlan = {
        operations: [{ op: 'add', layer: 1, vector: Float32Array.from(direction), strength: 2 }],
      };
      const common = {
        model,
        effect: rows(HARMLESS_TOKENS).map((row, i) => ({
          id: `item ${i}`,
          row,
          target: REFUSAL_TOKEN,
          opposed: 30,
        })),
        harmful: rows(HARMFUL_TOKENS.slice(0, 3)),
        benign: rows(HARMLESS_TOKENS.slice(0, 3)),
        texts: [[3, 4, 5, 6]],
        capability: rows(HARMLESS_TOKENS).map((row, i) => ({
          id: `${i}`,
          row,
          options: [30, 31],
          answer: 0,
        })),
        promptBaseline: (row: { tokens: readonly number[] | string }) => ({
          tokens: [1, 2, ...(row.tokens as number[])],
        }),
        // Token 60 is the planted refusal; the character of that id is '\\'.
        judge: async (_: unknown, answer: string) =>
          answer.startsWith('\\') ? ('refused' as const) : ('answered' as const),
        isCorrect: (_: unknown, answer: string) => !answer.startsWith('\\'),
        attacks: rows(HARMFUL_TOKENS.slice(0, 2)),
        command: 'make the report',
        settingsTried: 4,
        doses: [-1, 0, 1, 2],
        maxNewTokens: 2,
        seed: 1,
      };
      const before = tf.memory().numTensors;
      const report = await steeringReport({ ...common, plan });
      expect(tf.memory().numTensors).toBe(before);
      expect(report.arms.map(({ name }) => name)).toEqual([
        'plain',
        'steered',
        'strength 0',
        ...[1, 2, 3, 4, 5].map((i) => `random ${i}`),
        'flipped',
        'safety prompt',
      ]);
      const arm = (name: string) => report.arms.find((own) => own.name === name)!;
      expect(arm('plain').effect.value).toBe(0);
      expect(arm('strength 0').effect.value).toBe(0);
      expect(arm('steered').effect.low).toBeGreaterThan(0);
      expect(arm('flipped').effect.high).toBeLessThan(0);
      expect(arm('plain').harmfulRefusal!.value).toBe(1);
      expect(arm('plain').harmfulAnswered!.value).toBe(0);
      // Steered everywhere: the harmless requests are refused too, and the report says so item by item.
      expect(arm('steered').benignVerdicts).toBe('RRR');
      expect(arm('steered').benignCorrect!.value).toBe(0);
      const overRefusal = report.paired.find(
        ({ against, on }) => against === 'plain' && on === 'benign refused',
      )!;
      expect(overRefusal).toMatchObject({ onlySteered: 3, onlyOther: 0, p: 0.25 });
      expect(report.paired.filter(({ holm }) => holm !== undefined)).toHaveLength(15);
      expect(report.attacks!.steered.value).toBe(1);
      expect(report.damage!.language.compared).toBeGreaterThanOrEqual(0);
      expect(report.provenance).toMatchObject({
        backend: 'cpu',
        command: 'make the report',
        settingsTried: 4,
        items: { effect: HARMLESS_TOKENS.length, harmful: 3, benign: 3, attacks: 2 },
      });
      // The hashes are of the items: other items, another hash.
      expect(report.provenance.data['harmful']).not.toBe(report.provenance.data['benign']);
      expect(report.effect.antiSteerable).toBe(0);
      expect(report.effect.monotonicity).toBe(1);
      expect(report.gates.controllability).toBe(true);
      expect(report.damage!.kl.mean).toBeGreaterThan(0);
      expect(report.damage!.perplexity!.plain).toBeGreaterThan(1);
      const other = await steeringReport({ ...common, plan: randomPlan(plan, 77) });
      expect(other.verdict).toBe('not shown to work');

      // 'last' steers every token of a text that is scored as if generated, not just its end.
      const last = await steeringReport({
        ...common,
        plan: { operations: [{ ...plan.operations[0]!, positions: 'last' }] },
        harmful: [],
        randomControls: 0,
      });
      expect(last.damage!.perplexity!.steered).toBeCloseTo(report.damage!.perplexity!.steered, 3);
      expect(last.damage!.perplexity!.steered).not.toBeCloseTo(last.damage!.perplexity!.plain, 3);

      const text = reportMarkdown(report);
      expect(text).toContain('| flipped |');
      expect(text).toContain('plan `');
      for (const chart of [doseResponseSvg(report), effectHistogramSvg(report)]) {
        expect(chart).toMatch(/^<svg[\s\S]*<\/svg>$/);
        expect(chart).not.toMatch(/NaN|undefined/);
      }
      expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    } finally {
      model.dispose();
    }
  });

  it('needs items', async () => {
    const { model } = plantedRefusal();
    try {
      await expect(
        steeringReport({ model, plan: { operations: [] }, effect: [], seed: 1 }),
      ).rejects.toMatchObject({ code: 'BAD_DATASET' });
    } finally {
      model.dispose();
    }
  });
});

describe('its statistics', () => {
  it('correct by Holm as R does', () => {
    // p.adjust(c(0.01, 0.04, 0.03, 0.005), 'holm') in R: 0.03 0.06 0.06 0.02
    const expected = [0.03, 0.06, 0.06, 0.02];
    holm([0.01, 0.04, 0.03, 0.005]).forEach((p, i) => {
      expect(p).toBeCloseTo(expected[i]!, 12);
    });
  });

  it('pair items, not shares', () => {
    const arm = (name: string, harmfulVerdicts: string) => ({ name, harmfulVerdicts });
    const tests = pairedTests(arm('steered', 'RRRRRRRRAA'), [
      arm('random 1', 'RRAAAAAAAR'),
      arm('random 2', 'RRRRRRRRAA'),
      arm('plain', 'AAAAAAAAAA'),
    ]);
    expect(
      tests.map(({ against, onlySteered, onlyOther }) => [against, onlySteered, onlyOther]),
    ).toEqual([
      ['random 1', 6, 1],
      ['random 2', 0, 0],
      ['plain', 8, 0],
    ]);
    // scipy.stats.binomtest(1, 7).pvalue = 0.125; Holm doubles the smaller of two.
    expect(tests[0]!.p).toBeCloseTo(0.125, 12);
    expect(tests[0]!.holm).toBeCloseTo(0.25, 12);
    expect(tests[2]!.p).toBeCloseTo(2 / 256, 12);
    expect(tests[2]!.holm).toBeUndefined();
  });

  it('see a change of script, not of words', () => {
    expect(dominantScript('Sure, 東京')).toBe('Latin');
    expect(dominantScript('Нет, ok')).toBe('Cyrillic');
    expect(dominantScript('42 %')).toBeUndefined();
    expect(languageChange(['yes', 'no', '...'], ['nein', 'нет', 'x'])).toEqual({
      changed: 0.5,
      compared: 2,
    });
  });

  it('draw a sweep with one panel a layer and the chosen setting large', () => {
    const svg = sweepSvg([
      { layer: 2, strength: 0.1, harmfulRefused: 0.5, benignRefused: 0 },
      { layer: 2, strength: 1, harmfulRefused: 1, benignRefused: 0.25, chosen: true },
      { layer: 3, heads: 4, strength: 1, harmfulRefused: 0.75, benignRefused: 0.5 },
    ]);
    expect(svg.match(/<polyline/g)).toHaveLength(4);
    expect(svg.match(/r="5"/g)).toHaveLength(2);
    expect(svg).toContain('layer 3, 4 heads');
    expect(svg).not.toMatch(/NaN|undefined/);
  });
});

describe('its parts', () => {
  it('draw one cell a head', () => {
    const ranked = [0, 1, 2].flatMap((layer) =>
      [0, 1].map((head) => ({ layer, head, effect: layer - head })),
    );
    const map = headHeatMapSvg({ ranked });
    expect(map.match(/<rect x/g)).toHaveLength(6);
    expect(map).toContain('layer 2, head 0: 2');
  });

  it('know refusals, repeats and distinct n-grams', () => {
    expect(startsLikeRefusal(' I\u2019m sorry, no.')).toBe(true);
    expect(startsLikeRefusal('Sure, sorry about the wait')).toBe(false);
    expect(longestRepeat([1, 2, 3, 9, 1, 2, 3])).toBe(3);
    expect(longestRepeat([1, 2, 3])).toBe(0);
    expect(distinctShare([1, 2, 1, 2, 1])).toBe(0.5);
  });

  it('warn before steering', () => {
    const poor = {
      positive: 4,
      negative: 4,
      relativeNorm: 2,
      agreement: 0.1,
      dPrime: 0.2,
      auroc: 0.55,
      effectiveRank: 4,
    };
    const codes = preflight({ geometry: poor, direction: [1, 0], refusal: [1, 1] }).map(
      ({ code }) => code,
    );
    expect(codes).toEqual([
      'few-examples',
      'low-agreement',
      'not-separable',
      'many-directions',
      'large-norm',
      'refusal-overlap',
    ]);
    const good = {
      positive: 64,
      negative: 64,
      relativeNorm: 0.3,
      agreement: 0.6,
      dPrime: 3,
      auroc: 0.98,
      effectiveRank: 9,
    };
    expect(preflight({ geometry: good })).toEqual([]);
  });
});
