// `safeinfer validate`: every mistake of an experiment file that shows without running it, and its size.
import { resolve } from 'node:path';
import { loadBenchmark } from '../benchmarks/load-benchmark.ts';
import { loadExperiment } from '../config/load-experiment.ts';

export async function validateCommand(file: string): Promise<void> {
  const experiment = loadExperiment(file);
  const sets = await Promise.all(
    experiment.prompts.flatMap((style) =>
      experiment.benchmarks.map((config) =>
        loadBenchmark({ config, style, experimentFile: resolve(file) }),
      ),
    ),
  );
  const items = sets.reduce((sum, { dataset }) => sum + dataset.items.length, 0);
  const { arms, edits, prompts } = experiment;
  process.stdout.write(
    `${experiment.name}: ${edits.length} edits x ${arms.length} arms x ${items} questions in ${prompts.length} styles = ${edits.length * arms.length * items} answers\n`,
  );
}
