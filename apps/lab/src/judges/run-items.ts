// The items behind the records of a run: judges read the question itself, not only the rendered prompt.
import { SafeInferError } from '@safeinfer/backend';
import type { Item } from '@safeinfer/harmeval';
import type { Benchmark } from '../benchmarks/benchmark.ts';
import { loadBenchmark } from '../benchmarks/load-benchmark.ts';
import type { SavedRun } from '../run/experiment-file.ts';
import type { TrialRecord } from '../run/trial-record.ts';

export interface RunItem {
  readonly item: Item;
  readonly benchmark: Benchmark;
}

/** Loads the sets of the run again, by the paths of its experiment; no model is opened. */
export async function runItems(run: SavedRun): Promise<(record: TrialRecord) => RunItem> {
  const { experiment, experimentFile, limit } = run;
  const benchmarks = await Promise.all(
    experiment.prompts.flatMap((style) =>
      experiment.benchmarks.map((config) =>
        loadBenchmark({ config, style, experimentFile, limit }),
      ),
    ),
  );
  const found = new Map<string, RunItem>();
  for (const benchmark of benchmarks) {
    for (const item of benchmark.dataset.items) {
      found.set(JSON.stringify([benchmark.style.id, benchmark.name, item.id]), { item, benchmark });
    }
  }
  return ({ style, benchmark, itemId }) => {
    const known = found.get(JSON.stringify([style, benchmark, itemId]));
    if (known) return known;
    throw new SafeInferError(`item ${itemId} of ${benchmark} is no longer in its set`, {
      code: 'NOT_FOUND',
      hint: 'the set has changed since the run: judge the copy that the run was made with',
    });
  };
}
