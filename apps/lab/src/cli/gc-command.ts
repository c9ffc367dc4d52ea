// `safeinfer gc`: drops stored answers that no run directory uses. Without --yes it only says what it would drop.
import { join } from 'node:path';
import type { Command } from 'commander';
import { isRunDirectory } from '../run/experiment-file.ts';
import { openStore } from '../store/open-store.ts';
import { dropUnused, knownRuns, unused } from '../store/uses.ts';

export function registerGcCommand(program: Command): void {
  program
    .command('gc')
    .description('drop stored answers that no run directory uses (says what, unless --yes)')
    .option('--store <file>', 'the store', join('runs', 'store.sqlite'))
    .option('--yes', 'really drop them', false)
    .action((flags: { readonly store: string; readonly yes: boolean }) => {
      using store = openStore(flags.store);
      const known = knownRuns(store);
      const kept = known.filter(isRunDirectory);
      const { entries, characters } = unused(store, kept);
      const gone = known.length - kept.length;
      const what = `${entries} of ${store.size()} entries (${(characters / 1e6).toFixed(1)} MB) are used by none of ${kept.length} run directories (${gone} are gone)`;
      if (flags.yes) dropUnused(store, kept);
      process.stdout.write(`${what}; ${flags.yes ? 'dropped' : 'drop them with --yes'}\n`);
    });
}
