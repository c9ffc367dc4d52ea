// CSV to rows: BOM, CRLF and quoted line breaks handled, ragged rows refused with their line.
import { CsvError, parse } from 'csv-parse/sync';
import { HarmEvalError } from '../harm-eval-error.ts';
import type { SourceRow } from './row.ts';

export interface CsvOptions {
  /** Names for a file without a header row. */
  readonly header?: readonly string[];
  /** One text a row without quotes: commas do not separate, they belong to the text. Needs a `header` of one name. */
  readonly singleColumn?: boolean;
  readonly file?: string;
}

/** Reads CSV text (RFC 4180). Throws `BAD_FILE` with the line for a ragged row or an unclosed quote. */
export function readCsv(text: string, options: CsvOptions = {}): SourceRow[] {
  const file = options.file ?? 'csv text';
  try {
    const records = parse(text, {
      bom: true,
      columns: options.header === undefined ? true : [...options.header],
      ...(options.singleColumn === true ? { delimiter: '\u001f', relax_quotes: true } : {}),
      info: true,
      skip_empty_lines: true,
    }) as unknown as {
      readonly record: Readonly<Record<string, string>>;
      readonly info: { readonly lines: number };
    }[];
    return records.map(({ record, info }, index) => ({
      cells: record,
      row: index + 1,
      line: info.lines,
    }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const lines = error['lines'];
    const line = typeof lines === 'number' ? lines : undefined;
    const at = line === undefined ? '' : `, line ${line}`;
    throw new HarmEvalError(`${file}${at}: not a well-formed CSV file (${error.code})`, {
      code: 'BAD_FILE',
      hint: 'the file is truncated or has a row with a different number of columns: fetch it again',
      location: { file, ...(line === undefined ? {} : { line }) },
    });
  }
}
