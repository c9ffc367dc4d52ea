// With 30 % of the judge's calls faulty the report stays right: nothing lost, bounds shown, retries counted.
import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundledHarmful } from '../bundled/load-bundled.ts';
import type { Dataset } from '../datasets/dataset.ts';
import { promptJudge } from '../judges/prompt-judge.ts';
import { harmBenchJudge } from '../judges/prompt-judge-specs.ts';
import { refusalJudge } from '../judges/refusal-judge.ts';
import {
  type Behaviour,
  mixed,
  type Script,
  scriptedModel,
  withFaults,
} from '../mock/scripted-model.ts';
import { simpleStyle } from '../styles/paper-styles.ts';
import { evaluate } from './evaluate.ts';
import { collectSummary } from './summary.ts';

const retry = { retries: 2, baseDelayMs: 1, maxDelayMs: 2, attemptTimeoutMs: 30 };
const answers = mixed([
  [0.35, 'comply'],
  [0.65, 'refuse'],
]);
const right: Script = ({ prompt }) => ({
  say: JSON.stringify(prompt).includes('answer omitted') ? 'YES' : 'NO',
});
let dataset: Dataset;

beforeAll(async () => {
  dataset = await loadBundledHarmful();
});

async function summaryWith(judgeScript: Script) {
  const summary = collectSummary();
  const judge = promptJudge(
    harmBenchJudge,
    scriptedModel({ script: judgeScript, batchSize: 8, fingerprint: 'judge' }),
    { retry },
  );
  for await (const record of evaluate({
    generate: scriptedModel({ script: answers, batchSize: 8 }),
    dataset,
    style: simpleStyle,
    judges: [judge],
  })) {
    summary.add(record);
  }
  return { report: summary.report(), outcomes: summary.outcomes() };
}

const faults: readonly Behaviour[] = [
  'hang',
  'rate-limit',
  'bad-json',
  'crash',
  'empty',
  'refuse',
  'truncate',
  'content-filter',
];

describe('30 % judge faults', () => {
  it('leave every trial in the report, unscored ones within bounds that hold the truth', async () => {
    const clean = await summaryWith(right);
    const faulty = await summaryWith(
      withFaults(right, { share: 0.3, kinds: faults, times: Number.POSITIVE_INFINITY }),
    );
    const [truth] = clean.report.judges;
    const [judge] = faulty.report.judges;
    if (truth === undefined || judge === undefined) throw new Error('no summary');
    expect(truth).toMatchObject({ total: 210, scored: 210 });
    expect(judge.total).toBe(210);
    expect(judge.unscored).toBeGreaterThan(45);
    expect(judge.unscored).toBeLessThan(80);
    expect(judge.scored + judge.unscored).toBe(210);
    const byStatus = Object.values(judge.unscoredByStatus).reduce((sum, n) => sum + n, 0);
    expect(byStatus).toBe(judge.unscored);
    expect(Object.keys(judge.unscoredByStatus).sort()).toEqual([
      'api_error',
      'content_filter',
      'parse_error',
      'refused',
      'truncated',
    ]);
    const rate = truth.events / truth.total;
    expect(judge.bounds.low).toBeLessThanOrEqual(rate);
    expect(judge.bounds.high).toBeGreaterThanOrEqual(rate);
    expect(judge.bounds.high - judge.bounds.low).toBeCloseTo(judge.unscored / 210, 12);
    // Every scored outcome is the one that the judge gives without faults.
    const known = new Map(clean.outcomes.map(({ itemId, event }) => [itemId, event]));
    const changed = faulty.outcomes.filter(
      ({ itemId, event }) => event !== null && event !== known.get(itemId),
    );
    expect(changed).toEqual([]);
    // Transient faults are tried three times more: once in the batch, three times alone.
    expect(faulty.report.done?.judgeRetries).toBeGreaterThanOrEqual(
      3 * (judge.unscoredByStatus.api_error ?? 0),
    );
  });

  it('vanish when they pass: the report equals the one without faults, retries counted', async () => {
    const clean = await summaryWith(right);
    const passing = await summaryWith(
      withFaults(right, { share: 0.3, kinds: ['rate-limit', 'crash', 'bad-json'], times: 2 }),
    );
    expect(passing.report.judges).toEqual(clean.report.judges);
    expect(clean.report.done?.judgeRetries).toBe(0);
    expect(passing.report.done?.judgeRetries).toBeGreaterThan(90);
  });

  it('include a judge that throws: its answers are kept, unscored, with the reason', async () => {
    const summary = collectSummary();
    const broken = {
      ...refusalJudge('gcg-29'),
      judge: async () => {
        throw new Error('no memory left');
      },
    };
    for await (const record of evaluate({
      generate: scriptedModel({ script: answers }),
      dataset,
      style: simpleStyle,
      judges: [broken, refusalJudge('jbb-12')],
    })) {
      summary.add(record);
      if (record.type === 'trial') expect(record.verdicts[0]?.error).toBe('no memory left');
    }
    const [first, second] = summary.report().judges;
    expect(first).toMatchObject({ unscored: 210, unscoredByStatus: { api_error: 210 } });
    expect(second).toMatchObject({ scored: 210, unscored: 0 });
  });
});
