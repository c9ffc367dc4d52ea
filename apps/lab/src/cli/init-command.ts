// `safeinfer init` and `safeinfer schema`: a commented experiment to start from, and the JSON Schema of such files.
import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { experimentJsonSchema } from '../config/experiment-json-schema.ts';
import { STARTER } from '../config/starter.ts';
import { ConfigError } from '../errors/config-error.ts';

export function registerInitCommands(program: Command): void {
  program
    .command('init')
    .description('write a commented experiment file to start from')
    .argument('[file]', 'where', 'experiment.yaml')
    .option('--force', 'overwrite', false)
    .action((file: string, flags: { readonly force: boolean }) => {
      if (existsSync(file) && !flags.force) {
        throw new ConfigError(file, [{ path: '', message: 'exists; --force overwrites it' }]);
      }
      writeFileSync(file, STARTER);
      process.stdout.write(`${file}: safeinfer plan ${file}; safeinfer run ${file}\n`);
    });
  program
    .command('schema')
    .description('print the JSON Schema of experiment files')
    .action(() => {
      process.stdout.write(`${JSON.stringify(experimentJsonSchema(), null, 2)}\n`);
    });
}
