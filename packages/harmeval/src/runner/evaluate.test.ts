import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundledHarmful, loadBundledHarmless } from '../bundled/load-bundled.ts';
import { type Dataset, withItems } from '../datasets/dataset.ts';
import { defineGenerate } from '../generate.ts';
import { HarmEvalError } from '../harm-eval-error.ts';
import { promptJudge } from '../judges/prompt-judge.ts';
import { harmBenchJudge } from '../judges/prompt-judge-specs.ts';
import { refusalJudge } from '../judges/refusal-judge.ts';
import { always, mixed, scriptedModel, withFaults } from '../mock/scripted-model.ts';
import { plainStyle, simpleStyle } from '../styles/paper-styles.ts';
import { type EvaluateOptions, evaluate } from './evaluate.ts';
import type { EvalRecord, TrialRecord } from './records.ts';
import { collectSummary } from './summary.ts';

let harmful: Dataset;
let harmless: Dataset;
const fastRetry = { retries: 3, baseDelayMs: 1, maxDelayMs: 5, attemptTimeoutMs: 50 };

beforeAll(async () => {
  harmful = await loadBundledHarmful();
  harmless = await loadBundledHarmless();
});

async function run(options: Partial<EvaluateOptions> & Pick<EvaluateOptions, 'generate'>) {
  const records: EvalRecord[] = [];
  const summary = collectSummary();
  for await (const record of evaluate({
    dataset: harmful,
    style: simpleStyle,
    judges: [refusalJudge('gcg-29')],
    retry: fastRetry,
    ...options,
  })) {
    records.push(record);
    summary.add(record);
  }
  const trials = records.filter((record): record is TrialRecord => record.type === 'trial');
  return { records, trials, summary: summary.report() };
}

describe('evaluate', () => {
  it('yields a plan, one record per item in order, and a closing record', async () => {
    const { records, trials } = await run({
      generate: scriptedModel({ script: always('refuse') }),
    });
    expect(records.at(0)?.type).toBe('plan');
    expect(records.at(-1)).toMatchObject({ type: 'done', trials: 210, failed: 0 });
    expect(trials.map(({ index }) => index)).toEqual(harmful.items.map((_, index) => index));
    expect(trials.map(({ item }) => item.id)).toEqual(harmful.items.map(({ id }) => id));
  });

  it('gives the same records whatever the batch size and concurrency', async () => {
    const script = withFaults(
      mixed([
        [0.3, 'comply'],
        [0.1, 'empty'],
        [0.6, 'refuse'],
      ]),
      {
        share: 0.2,
        kinds: ['crash', 'bad-json', 'rate-limit'],
        times: 1,
      },
    );
    const strip = (trials: readonly TrialRecord[]) =>
      trials.map(({ attempts: _, ...rest }) => rest);
    const alone = await run({ generate: scriptedModel({ script }) });
    const batched = await run({
      generate: scriptedModel({ script, batchSize: 16 }),
      concurrency: 4,
    });
    expect(strip(batched.trials)).toEqual(strip(alone.trials));
    expect(batched.summary.judges).toEqual(alone.summary.judges);
  });

  it('seeds items by run seed, item and repeat, not by position', async () => {
    const generate = scriptedModel({ script: always('refuse') });
    const forward = await run({ generate, seed: 7, repeats: 2 });
    const reversed = await run({
      generate,
      seed: 7,
      repeats: 2,
      dataset: withItems(harmful, [...harmful.items].reverse()),
    });
    const seeds = (trials: readonly TrialRecord[]) =>
      Object.fromEntries(trials.map(({ item, repeat, seed }) => [`${item.id}/${repeat}`, seed]));
    expect(seeds(reversed.trials)).toEqual(seeds(forward.trials));
    expect(new Set(forward.trials.map(({ seed }) => seed)).size).toBe(420);
    const other = await run({ generate, seed: 8 });
    expect(other.trials[0]?.seed).not.toBe(forward.trials[0]?.seed);
  });

  it('keeps failed and empty answers in the table as unscored, never as safe', async () => {
    const hopeless = withFaults(
      mixed([
        [0.5, 'refuse'],
        [0.5, 'empty'],
      ]),
      {
        share: 0.3,
        kinds: ['crash', 'hang', 'bad-json', 'rate-limit'],
        times: Number.POSITIVE_INFINITY,
      },
    );
    const { trials, summary } = await run({
      generate: scriptedModel({ script: hopeless, batchSize: 8 }),
      retry: { ...fastRetry, retries: 1, attemptTimeoutMs: 20 },
      concurrency: 8,
    });
    const failed = trials.filter(({ response }) => response === null).length;
    const empty = trials.filter(({ response }) => response?.text === '').length;
    expect(failed).toBeGreaterThan(40);
    expect(empty).toBeGreaterThan(40);
    const [judge] = summary.judges;
    expect(judge).toMatchObject({
      total: 210,
      unscored: failed + empty,
      unscoredByStatus: { no_response: failed + empty },
      events: 0,
    });
    expect(judge?.bounds).toEqual({ low: 0, high: (failed + empty) / 210 });
    expect(judge?.estimate?.value).toBe(0);
    expect(summary).toMatchObject({ failed, emptyAnswers: empty });
  });

  it('retries one by one, so that a poisonous row costs its batch nothing', async () => {
    const poison = harmful.items[5]?.prompt ?? '';
    const generate = scriptedModel({
      batchSize: 10,
      script: (request) =>
        JSON.stringify(request.prompt).includes(JSON.stringify(poison).slice(1, -1))
          ? 'crash'
          : 'refuse',
    });
    const { trials, records } = await run({ generate });
    const failures = trials.filter(({ response }) => response === null);
    expect(failures.map(({ index }) => index)).toEqual([5]);
    expect(failures[0]).toMatchObject({ attempts: 5, failure: { failureClass: 'transient' } });
    expect(records.at(-1)).toMatchObject({ failed: 1, generationRetries: 9 + 4 });
  });

  it('reports over-refusal on harmless items beside attack success on harmful ones', async () => {
    const { summary } = await run({
      dataset: withItems(harmful, [...harmful.items.slice(0, 50), ...harmless.items.slice(0, 50)]),
      style: plainStyle,
      generate: scriptedModel({ script: always('refuse') }),
      judges: [refusalJudge('xstest-21')],
    });
    expect(
      summary.judges.map(({ measure, events, total }) => ({ measure, events, total })),
    ).toEqual([
      { measure: 'attack-success', events: 0, total: 50 },
      { measure: 'over-refusal', events: 50, total: 50 },
    ]);
  });

  it('refuses to score items that built the intervention', async () => {
    const generate = scriptedModel({ script: always('refuse') });
    const builtFrom = harmful.items.slice(0, 3).map(({ id }) => id);
    await expect(run({ generate, builtFrom })).rejects.toMatchObject({ code: 'LEAK' });
    expect(generate.counts.calls).toBe(0);
  });

  it('stops on abort, also while a call hangs', async () => {
    const controller = new AbortController();
    const running = run({
      generate: scriptedModel({ script: always('hang') }),
      retry: { ...fastRetry, attemptTimeoutMs: 0 },
      signal: controller.signal,
    });
    setTimeout(() => controller.abort('enough'), 20);
    const error: unknown = await running.catch((reason: unknown) => reason);
    expect(HarmEvalError.isInstance(error) && error.code).toBe('ABORTED');
  });

  it('stops when more trials fail than allowed', async () => {
    await expect(
      run({
        generate: scriptedModel({ script: always('crash') }),
        retry: { ...fastRetry, retries: 0 },
        maxFailures: 3,
      }),
    ).rejects.toMatchObject({ code: 'TOO_MANY_ERRORS' });
  });

  it('does not run a local judge while the local model generates', async () => {
    let busy = 0;
    let overlaps = 0;
    const watch = async <T>(work: () => Promise<T>): Promise<T> => {
      overlaps += busy > 0 ? 1 : 0;
      busy += 1;
      await new Promise((resolve) => setTimeout(resolve, 1));
      busy -= 1;
      return work();
    };
    const model = scriptedModel({ script: always('refuse'), batchSize: 8 });
    const judgeWith = (concurrency: number) => {
      const inner = scriptedModel({ script: always({ say: 'no' }), batchSize: 8 });
      return promptJudge(
        harmBenchJudge,
        defineGenerate((requests, options) => watch(() => inner(requests, options)), {
          batchSize: 8,
          concurrency,
        }),
      );
    };
    const generate = defineGenerate((requests, options) => watch(() => model(requests, options)), {
      batchSize: 8,
    });
    const dataset = withItems(harmful, harmful.items.slice(0, 64));
    await run({ generate, dataset, judges: [judgeWith(1)] });
    expect(overlaps).toBe(0);
    await run({ generate, dataset, judges: [judgeWith(2)] });
    expect(overlaps).toBeGreaterThan(0);
  });

  it('keeps forty calls in flight on one signal without a warning', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    const generate = defineGenerate(
      async (requests) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        return requests.map(() => ({ text: 'x', finishReason: 'stop' as const }));
      },
      { concurrency: 40 },
    );
    await run({ generate, signal: new AbortController().signal });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings.map(({ name }) => name)).toEqual([]);
  });

  it('ends its calls when the caller leaves the loop', async () => {
    let aborted = false;
    const generate = defineGenerate(
      async (requests, { signal }) => {
        if (requests[0]?.id.startsWith(harmful.items[0]?.id ?? '') === true) {
          return requests.map(() => ({ text: 'x', finishReason: 'stop' as const }));
        }
        return new Promise((_, reject) => {
          signal?.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('stopped'));
          });
        });
      },
      { concurrency: 3 },
    );
    for await (const record of evaluate({
      generate,
      dataset: harmful,
      style: plainStyle,
      judges: [],
    })) {
      if (record.type === 'trial') break;
    }
    expect(aborted).toBe(true);
  });

  it('counts broken answers, which every judge takes for safe', async () => {
    const { summary } = await run({ generate: scriptedModel({ script: always('loop') }) });
    expect(summary).toMatchObject({ brokenAnswers: 210, truncatedAnswers: 210 });
  });
});
