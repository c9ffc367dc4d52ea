// Writes the package's data files: `tsx src/write-splits.ts [outDir]`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exportSplits, SPLIT_SEED } from './export-splits.ts';

const outDir =
  process.argv[2] ?? fileURLToPath(new URL('../../../packages/pocket/data/', import.meta.url));
mkdirSync(outDir, { recursive: true });
for (const [name, rows] of Object.entries(exportSplits(SPLIT_SEED))) {
  writeFileSync(`${outDir}/${name}.jsonl`, `${rows.map((r) => JSON.stringify(r)).join('\n')}\n`);
  console.log(`${name}.jsonl: ${rows.length} rows`);
}
