// A row of a source file, whatever the format: named cells and the place they came from.

export interface SourceRow {
  readonly cells: Readonly<Record<string, unknown>>;
  /** 1-based number of the record in the file. */
  readonly row: number;
  /** 1-based line where the record ends, for text formats. */
  readonly line?: number;
}

export type SourceFormat = 'csv' | 'json' | 'jsonl' | 'parquet' | 'lines';

/** The text in a cell; numbers and booleans are printed, missing and null become the empty string. */
export function cellText(row: SourceRow, column: string): string {
  const value = row.cells[column];
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
    return String(value);
  }
  return JSON.stringify(value);
}
