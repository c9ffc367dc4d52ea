// `safeinfer status`: how far the run of a directory is, from progress.json and the store.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { ProgressFile } from '../progress/progress-file.ts';
import { readExperimentJson } from '../run/experiment-file.ts';
import { openStore } from '../store/open-store.ts';
import { usedCounts } from '../store/uses.ts';

export function registerStatusCommand(program: Command): void {
  program
    .command('status')
    .description('show how far a run is')
    .argument('<directory>', 'run directory')
    .option('--json', 'as JSON', false)
    .action((directory: string, flags: { readonly json?: boolean }) => {
      const path = resolve(directory);
      const saved = readExperimentJson(path);
      const progress = readProgress(path);
      using store =
        saved.store !== undefined && existsSync(saved.store) ? openStore(saved.store) : undefined;
      const counts = store && usedCounts(store, path);
      const finished = existsSync(join(path, 'results.jsonl'));
      const state = { name: saved.experiment.name, progress, store: counts, finished };
      if (flags.json) {
        process.stdout.write(`${JSON.stringify(state)}\n`);
        return;
      }
      const phase = progress
        ? `${progress.phase} ${progress.done}/${progress.total}`
        : 'not started';
      const when = progress ? `, last seen ${progress.updatedAt}` : '';
      const stored = counts
        ? `\n${counts.stored} of ${counts.used} entries stored, ${counts.failed} failed`
        : '';
      const next = progress?.phase === 'done' ? '' : `\ngo on with: safeinfer resume ${directory}`;
      process.stdout.write(`${saved.experiment.name}: ${phase}${when}${stored}${next}\n`);
    });
}

function readProgress(directory: string): ProgressFile | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'progress.json'), 'utf8')) as ProgressFile;
  } catch {
    // A run that was killed before its first write has none.
    return undefined;
  }
}
