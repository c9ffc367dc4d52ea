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
import { preflight } from './preflight.ts';
import { startsLikeRefusal } from './refusal-prefix.ts';
import { distinctShare, longestRepeat } from './repetition.ts';
import { reportMarkdown } from './report-markdown.ts';
import { steeringReport } from './steering-report.ts';

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
