// `safeinfer verify`: a run directory against its store, the store against its hashes, the report against the records.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { EXIT } from '../errors/exit-code.ts';
import { readExperimentJson } from '../run/experiment-file.ts';
import { verifyRun } from '../run/verify-run.ts';
import { openStore } from '../store/open-store.ts';
import { verifyStore } from '../store/verify-store.ts';

export function registerVerifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check a run: pages and hashes of its store, records against the store, report')
    .argument('<directory>', 'run directory')
    .action((directory: string) => {
      const path = resolve(directory);
      const { store: file } = readExperimentJson(path);
      using store = openStore(file ?? ':memory:');
      const { entries, pages, changed } = verifyStore(store);
      const problems = [
        ...pages.map((page) => `store: ${page}`),
        ...changed.map((key) => `store: the value of ${key} is not what was written`),
        ...(file === undefined ? [] : verifyRun(path, store)),
      ];
      for (const problem of problems) process.stdout.write(`${problem}\n`);
      process.stdout.write(`${entries} entries, ${problems.length} problems\n`);
      if (problems.length > 0) process.exitCode = EXIT.partial;
    });
}
