// Typed readers of the bundled JSONL files.
import { readFileSync } from 'node:fs';
import { SafeInferError } from '@safeinfer/backend';
import type { DemonstrationItem, PocketData, PocketFact } from './items.ts';
import { pocketPaths } from './pocket-paths.ts';
import { ROW_SCHEMAS } from './row-schema.ts';

function badRow(name: string, line: number, what: string): SafeInferError {
  return new SafeInferError(`${name}.jsonl line ${line}: ${what}`, {
    code: 'BAD_DATASET',
    hint: 'install @safeinfer/pocket again; its data files are damaged',
  });
}

/**
 * Parses the text of one data file and checks every row's fields.
 * @throws SafeInferError BAD_DATASET naming the line, on bad JSON, a missing or wrong field, or a repeated id.
 */
export function parsePocketRows<K extends keyof PocketData>(
  name: K,
  content: string,
): PocketData[K][] {
  const schema = Object.entries(ROW_SCHEMAS[name]) as [string, (value: unknown) => boolean][];
  const ids = new Set<string>();
  const lines = content.split('\n');
  // The file ends with a line break.
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line, i) => {
    let row: Record<string, unknown>;
    try {
      row = JSON.parse(line) as Record<string, unknown>;
    } catch {
      throw badRow(name, i + 1, 'not JSON');
    }
    const wrong = schema.find(([field, check]) => !check(row?.[field]));
    if (wrong) throw badRow(name, i + 1, `field '${wrong[0]}' is missing or wrong`);
    const id = String(row['id']);
    if (ids.has(id)) throw badRow(name, i + 1, `id '${id}' occurs twice`);
    ids.add(id);
    return row as unknown as PocketData[K];
  });
}

/**
 * All rows of one bundled data file, or those of one split.
 * @param name file name without extension; it decides the row type.
 * @param split keeps the rows whose `split` is this one; files without splits (facts) must not name one.
 * @throws SafeInferError NOT_FOUND for a name that is no file, BAD_ARGUMENT for a split that has no rows.
 */
export function loadPocketSplit<K extends keyof PocketData>(
  name: K,
  split?: PocketData[K] extends { split: infer S } ? S : never,
): PocketData[K][] {
  if (!Object.hasOwn(ROW_SCHEMAS, name)) {
    throw new SafeInferError(`there is no bundled data file '${name}'`, {
      code: 'NOT_FOUND',
      hint: `use one of ${Object.keys(ROW_SCHEMAS).join(', ')}`,
    });
  }
  const rows = parsePocketRows(name, readFileSync(`${pocketPaths().data}/${name}.jsonl`, 'utf8'));
  if (split === undefined) return rows;
  const kept = rows.filter((row) => 'split' in row && row.split === split);
  if (kept.length === 0) {
    throw new SafeInferError(`'${name}' has no rows of split '${String(split)}'`, {
      code: 'BAD_ARGUMENT',
      hint: 'leave the split out to get every row',
    });
  }
  return kept;
}

/** Every fact of the model's world as an edit request with paraphrases and neighbourhood. */
export function pocketFacts(): PocketFact[] {
  return loadPocketSplit('facts');
}

/** Demonstrations of the vector split that show one behaviour. */
export function pocketDemonstrations(
  behaviour: DemonstrationItem['behaviour'],
): DemonstrationItem[] {
  return loadPocketSplit('demonstrations').filter((d) => d.behaviour === behaviour);
}
