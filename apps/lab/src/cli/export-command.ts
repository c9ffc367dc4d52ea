// `safeinfer export`: the records of a run for other tools. Harmful text is masked unless asked for.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { csvOf, flatRow } from '../export/flat-rows.ts';
import { parquetOf } from '../export/parquet.ts';
import { maskText } from '../mask/mask-text.ts';
import { readExperimentJson } from '../run/experiment-file.ts';
import type { TrialRecord } from '../run/trial-record.ts';

interface ExportFlags {
  readonly format: 'csv' | 'jsonl' | 'parquet';
  readonly out?: string;
  readonly showHarmful?: boolean;
}

export function registerExportCommand(program: Command): void {
  program
    .command('export')
    .description('write the records of a run for other tools')
    .argument('<directory>', 'run directory')
    .addOption(
      new Option('--format <format>', 'file format')
        .choices(['csv', 'jsonl', 'parquet'])
        .default('csv'),
    )
    .option('--out <file>', 'where (default: records.<format> in the run directory)')
    .option('--show-harmful', 'do not mask harmful questions and answers', false)
    .action((directory: string, flags: ExportFlags) => {
      readExperimentJson(directory);
      const records = readFileSync(join(directory, 'results.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => masked(JSON.parse(line) as TrialRecord, flags.showHarmful ?? false));
      const out = flags.out ?? join(directory, `records.${flags.format}`);
      writeFileSync(out, contentOf(records, flags.format));
      process.stdout.write(`${records.length} records: ${out}\n`);
    });
}

function contentOf(
  records: readonly TrialRecord[],
  format: ExportFlags['format'],
): string | Uint8Array {
  if (format === 'jsonl') return `${records.map((record) => JSON.stringify(record)).join('\n')}\n`;
  const rows = records.map(flatRow);
  return format === 'csv' ? csvOf(rows) : parquetOf(rows);
}

function masked(record: TrialRecord, show: boolean): TrialRecord {
  if (show || record.kind === 'harmless') return record;
  // Tokens spell the answer out.
  const { tokens: _, ...rest } = record;
  return { ...rest, prompt: maskText(record.prompt), output: maskText(record.output) };
}
