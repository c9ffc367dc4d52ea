import { describe, expect, it } from 'vitest';
import { loadBundledHarmful } from './bundled/load-bundled.ts';
import {
  generationKey,
  memoryCache,
  withGenerationCache,
  withVerdictCache,
} from './content-cache.ts';
import { withItems } from './datasets/dataset.ts';
import { promptJudge } from './judges/prompt-judge.ts';
import { safeInferPaperJudge } from './judges/prompt-judge-specs.ts';
import { mixed, scriptedModel, withFaults } from './mock/scripted-model.ts';
import { evaluate } from './runner/evaluate.ts';
import { collectSummary } from './runner/summary.ts';
import { simpleStyle } from './styles/paper-styles.ts';

const retry = { retries: 0, baseDelayMs: 1, maxDelayMs: 1, attemptTimeoutMs: 50 };

describe('content caches', () => {
  it('answer a second run without one call, with the same summary', async () => {
    const dataset = await loadBundledHarmful();
    const cache = memoryCache();
    const model = scriptedModel({
      script: mixed([
        [0.4, 'comply'],
        [0.6, 'refuse'],
      ]),
      fingerprint: 'model/1',
      batchSize: 7,
    });
    const judgeModel = scriptedModel({
      script: ({ prompt }) => ({ say: JSON.stringify(prompt).includes('omitted') ? 'YES' : 'NO' }),
      fingerprint: 'judge/1',
      batchSize: 5,
    });
    const run = async () => {
      const summary = collectSummary();
      for await (const record of evaluate({
        generate: withGenerationCache(model, cache),
        judges: [withVerdictCache(promptJudge(safeInferPaperJudge, judgeModel), cache)],
        dataset,
        style: simpleStyle,
        retry,
      })) {
        summary.add(record);
      }
      return summary.report();
    };
    const first = await run();
    const calls = [model.counts.calls, judgeModel.counts.calls];
    const second = await run();
    expect([model.counts.calls, judgeModel.counts.calls]).toEqual(calls);
    expect(second.judges).toEqual(first.judges);
    expect([first.done?.cached, second.done?.cached]).toEqual([0, 210]);
  });

  it('never store failures: only what is missing is asked again', async () => {
    const dataset = await loadBundledHarmful();
    const few = withItems(dataset, dataset.items.slice(0, 40));
    const cache = memoryCache();
    const script = withFaults(mixed([[1, 'refuse']]), { share: 0.3, kinds: ['crash'], times: 1 });
    const model = scriptedModel({ script, fingerprint: 'model/2' });
    const run = async () => {
      const summary = collectSummary();
      for await (const record of evaluate({
        generate: withGenerationCache(model, cache),
        judges: [],
        dataset: few,
        style: simpleStyle,
        retry,
      })) {
        summary.add(record);
      }
      return summary.report();
    };
    const first = await run();
    const before = model.counts.rows;
    const second = await run();
    expect(first.failed).toBeGreaterThan(3);
    expect(second.failed).toBe(0);
    expect(model.counts.rows - before).toBe(first.failed);
  });

  it('have a key that changes with the intervention, the prompt, the sampling and the seed', () => {
    const request = {
      prompt: { kind: 'raw', text: 'x' },
      sampling: { temperature: 0 },
      seed: 1,
    } as const;
    const keys = [
      generationKey('model, strength 0.5', request),
      generationKey('model, strength 0.6', request),
      generationKey('model, strength 0.5', { ...request, seed: 2 }),
      generationKey('model, strength 0.5', { ...request, sampling: { temperature: 1 } }),
      generationKey('model, strength 0.5', { ...request, prompt: { kind: 'raw', text: 'y' } }),
    ];
    expect(new Set(keys).size).toBe(5);
    expect(generationKey('model, strength 0.5', request)).toBe(keys[0]);
  });

  it('refuse a generator without identity', () => {
    const model = scriptedModel({ script: () => 'refuse' });
    expect(() => withGenerationCache(model, memoryCache())).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });
});
