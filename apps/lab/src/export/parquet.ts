// Records as one Parquet file.
import { parquetWriteBuffer } from 'hyparquet-writer';
import { COLUMNS, type Row } from './flat-rows.ts';

const NUMBERS: ReadonlySet<string> = new Set(['repeat', 'tokensIn', 'tokensOut']);

export function parquetOf(rows: readonly Row[]): Uint8Array {
  const columnData = COLUMNS.map((name) => ({
    name,
    data: rows.map((row) => row[name] ?? null),
    type: NUMBERS.has(name) ? ('INT32' as const) : ('STRING' as const),
    nullable: true,
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
