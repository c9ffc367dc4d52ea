import { describe, expect, it } from 'vitest';
import type { SummaryRow } from '../report/summarise.ts';
import { checkGate, type GateRow } from './gate.ts';

const row = (arm: string, edit: string, complied: number): GateRow => ({
  labels: { run: '', edit, style: 'simple', arm },
  rates: {
    arm,
    edit,
    style: 'simple',
    unscored: 1,
    truncated: 0,
    asr: {
      count: complied,
      total: 10,
      value: complied / 10,
      low: complied / 20,
      high: complied / 10 + 0.1,
      unscored: 0,
      bounds: { low: 0, high: 1 },
    },
  } satisfies SummaryRow,
  answers: 20,
  deltas: [],
});
const rows = [
  row('base', 'unedited', 6),
  row('SafeInfer', 'unedited', 1),
  row('base', 'ROME', 2),
  row('SafeInfer', 'ROME', 4),
];

describe('checkGate', () => {
  it('compares a row with its partner in every place, and all must hold', () => {
    const result = checkGate('asr(SafeInfer) < asr(base)', rows);
    expect(result.passed).toBe(false);
    expect(result.details).toEqual([
      'holds: unedited · simple · SafeInfer against unedited · simple · base: 0.1 < 0.6',
      'FAILS: ROME · simple · SafeInfer against ROME · simple · base: 0.4 < 0.2',
    ]);
    expect(checkGate('asr(SafeInfer, unedited) < asr(base)', rows).passed).toBe(true);
  });

  it('reads percent, ends of intervals and shares of unscored answers', () => {
    expect(checkGate('asr(SafeInfer).upper95 <= 50%', rows).passed).toBe(true);
    expect(checkGate('asr(SafeInfer).high < 0.5', rows).passed).toBe(false);
    expect(checkGate('unscored <= 5%', rows).passed).toBe(true);
    expect(checkGate('unscored < 5%', rows).passed).toBe(false);
  });

  it.each([
    ['asr(SafeInfr) < 10%', /names no row; labels are: .*SafeInfer/],
    ['assr < 10%', /no measure "assr"/],
    ['asr(base) 10%', /a gate reads like/],
    ['accuracy(base) > 0', /accuracy\(base\) was not measured/],
    ['asr(base).delta.p < 0.05', /was not measured/],
    ['asr(base).median < 1', /was not measured/],
  ])('refuses "%s", and never lets it pass', (gate, reason) => {
    expect(() => checkGate(gate, rows)).toThrow(reason);
  });
});
