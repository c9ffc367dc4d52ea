// A spec for one's own file: any table with a prompt column.
import type { DatasetSpec, SplitRule } from './dataset-spec.ts';
import { testOnly } from './dataset-spec.ts';
import type { SourceFormat } from './row.ts';
import { type TableColumns, tableItem } from './table-item.ts';

export interface LocalSetOptions {
  readonly name: string;
  readonly columns: TableColumns;
  readonly format?: SourceFormat;
  /** Expected number of rows, when it is known. */
  readonly rows?: number;
  readonly split?: SplitRule;
}

/** Declares a user's own set. Rows about sexual content with minors are dropped from it as from any other. */
export function localSpec(options: LocalSetOptions): DatasetSpec {
  const { name, columns, format, rows, split } = options;
  const named = [columns.prompt, columns.category, columns.id, columns.context];
  return {
    name,
    revision: 'local',
    origin: { kind: 'local' },
    files: [format === undefined ? { path: '*' } : { path: '*', format }],
    editions: rows === undefined ? [] : [{ name: 'declared', rows }],
    licence: { id: 'custom', redistributable: false, note: 'local file' },
    columns: named.filter((column) => column !== undefined),
    toItem: tableItem(columns),
    split: split ?? testOnly(name),
  };
}
