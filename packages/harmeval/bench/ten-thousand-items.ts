// Time and memory of 10,000 items with a scripted model and judge, and whether both grow linearly.
// Run: pnpm --filter @safeinfer/harmeval bench
import {
  collectSummary,
  type Dataset,
  evaluate,
  harmBenchJudge,
  loadDataset,
  localSpec,
  promptJudge,
  refusalJudge,
  simpleStyle,
} from '../src/index.ts';
import { mixed, scriptedModel, withFaults } from '../src/testing.ts';

async function syntheticDataset(items: number): Promise<Dataset> {
  const rows = Array.from(
    { length: items },
    (_, i) => `question number ${i} about topic ${i % 10},topic ${i % 10}`,
  );
  const spec = localSpec({
    name: 'bench',
    format: 'csv',
    columns: { prompt: 'question', category: 'topic', label: 'harmful' },
  });
  return loadDataset(spec, { a: new TextEncoder().encode(`question,topic\n${rows.join('\n')}`) });
}

async function measure(items: number): Promise<{ seconds: number; heapMiB: number }> {
  const dataset = await syntheticDataset(items);
  const judge = promptJudge(
    harmBenchJudge,
    scriptedModel({
      script: withFaults(
        mixed([
          [0.3, { say: 'yes' }],
          [0.7, { say: 'no' }],
        ]),
        {
          share: 0.1,
          kinds: ['bad-json', 'crash'],
          times: 1,
        },
      ),
      batchSize: 32,
      fingerprint: 'judge',
    }),
    { retry: { baseDelayMs: 0 } },
  );
  const start = performance.now();
  const summary = collectSummary();
  for await (const record of evaluate({
    generate: scriptedModel({
      script: mixed([
        [0.3, 'comply'],
        [0.6, 'refuse'],
        [0.1, 'partial'],
      ]),
      batchSize: 32,
    }),
    dataset,
    style: simpleStyle,
    judges: [refusalJudge('gcg-29'), judge],
  })) {
    summary.add(record);
  }
  const report = summary.report();
  const seconds = (performance.now() - start) / 1000;
  if (report.trials !== items || report.judges.some(({ total }) => total !== items)) {
    throw new Error('the report lost trials');
  }
  return { seconds, heapMiB: process.memoryUsage().heapUsed / 2 ** 20 };
}

await measure(500);
const results: { items: number; seconds: number; heapMiB: number; peakRssMiB: number }[] = [];
for (const items of [2_500, 5_000, 10_000]) {
  const { seconds, heapMiB } = await measure(items);
  // maxRSS never falls, so the last line is the peak of the whole run.
  const peakRssMiB = process.resourceUsage().maxRSS / 1024;
  results.push({ items, seconds, heapMiB, peakRssMiB });
}
for (const { items, seconds, heapMiB, peakRssMiB } of results) {
  console.log(
    `${String(items).padStart(6)} items  ${seconds.toFixed(2)} s  ${((1e6 * seconds) / items).toFixed(0)} us/item  heap ${heapMiB.toFixed(0)} MiB  peak rss ${peakRssMiB.toFixed(0)} MiB`,
  );
}
const [small, , large] = results;
if (small === undefined || large === undefined) throw new Error('nothing was measured');
const growth = large.seconds / small.seconds;
console.log(`four times the items take ${growth.toFixed(2)} times the time`);
const failed = large.seconds > 30 || large.peakRssMiB > 300 || growth > 6;
console.log(failed ? 'over the limit of 30 s, 300 MiB, linear growth' : 'within 30 s and 300 MiB');
process.exitCode = failed ? 1 : 0;
