// `safeinfer plan`: cells, what is stored already, and what the rest will cost; no model is loaded.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { createTermSources } from '../arms/term-sources.ts';
import { loadExperimentFile } from '../config/load-experiment.ts';
import { chooseBackend } from '../model/choose-backend.ts';
import { modelFacts } from '../model/open-model.ts';
import { estimatePlan, type PlanEstimate, rateName } from '../plan/estimate.ts';
import { planExperiment } from '../plan/plan-experiment.ts';
import { textTable } from '../report/format-table.ts';
import { checkJudges } from '../run/experiment-judges.ts';
import { openStore } from '../store/open-store.ts';
import { positiveInteger } from './positive-integer.ts';

interface PlanFlags {
  readonly limit?: number;
  readonly model?: string;
  readonly backend?: string;
  readonly store?: string;
  readonly json?: boolean;
}

export function registerPlanCommand(program: Command, signal: AbortSignal): void {
  program
    .command('plan')
    .description(
      'show the cells of an experiment, what is stored already, and the cost of the rest',
    )
    .argument('<experiment>', 'YAML file')
    .option('--model <path>', 'instead of the file’s')
    .option('--limit <n>', 'at most n items of each benchmark', positiveInteger)
    .option('--backend <name>', 'compute backend that the run will use')
    .option('--store <file>', 'store to look in', join('runs', 'store.sqlite'))
    .option('--json', 'as JSON', false)
    .action((experiment: string, flags: PlanFlags) => planCommand(experiment, flags, signal));
}

async function planCommand(file: string, flags: PlanFlags, signal: AbortSignal): Promise<void> {
  const { experiment, models } = loadExperimentFile(file);
  checkJudges(experiment);
  const experimentFile = resolve(file);
  const backend = await chooseBackend({ backend: flags.backend });
  const path = flags.store ?? '';
  using store = existsSync(path) ? openStore(path) : undefined;
  using sources = createTermSources({ experimentFile, store, signal });
  for (const { name, path: modelPath } of models) {
    const model = await modelFacts({ name: flags.model ?? modelPath, store, signal });
    const plan = await planExperiment({
      experiment,
      experimentFile,
      limit: flags.limit,
      modelSha256: model.sha256,
      backend: backend.name,
      sources,
    });
    const estimate = estimatePlan({ plan, store, rate: rateName(model.sha256, backend.name) });
    process.stdout.write(
      flags.json
        ? `${JSON.stringify({ model: name, ...estimate })}\n`
        : `${name}\n${describe(estimate)}`,
    );
  }
}

function describe(estimate: PlanEstimate): string {
  const { cells, trials, stored, generatedTokens, forwardRows, seconds } = estimate;
  const rows = cells.map(({ edit, arm, style, benchmark, items, stored: known }) => [
    edit,
    arm,
    style,
    benchmark,
    String(items),
    String(known),
  ]);
  const time =
    seconds === null
      ? 'time unknown before the first run on this store'
      : `about ${seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`}`;
  return `${textTable([['edit', 'arm', 'style', 'benchmark', 'items', 'stored'], ...rows])}\n\n${cells.length} cells, ${trials} answers, ${stored} stored; the rest: at most ${generatedTokens} tokens, ${forwardRows} rows of forward passes, ${time}\n`;
}
