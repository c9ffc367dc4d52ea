// One entry for all formats: bytes of a file to rows.
import { HarmEvalError } from '../harm-eval-error.ts';
import { readCsv } from './read-csv.ts';
import { readJsonLines, readJsonRows } from './read-json.ts';
import { readParquet } from './read-parquet.ts';
import type { SourceFormat, SourceRow } from './row.ts';

export interface ReadRowsOptions {
  readonly format: SourceFormat;
  readonly file: string;
  /** Names for a CSV file without a header row. */
  readonly header?: readonly string[];
}

/** Decodes UTF-8 strictly: a damaged file must not turn into replacement characters that look like data. */
export function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    const lenient = new TextDecoder('utf-8').decode(bytes);
    const line = lenient.slice(0, lenient.indexOf('\uFFFD')).split('\n').length;
    throw new HarmEvalError(`${file}, line ${line}: not UTF-8 text`, {
      code: 'BAD_FILE',
      hint: 'the file is truncated inside a character, compressed, or in another encoding: fetch it again',
      location: { file, line },
      cause: error,
    });
  }
}

export async function readRows(bytes: Uint8Array, options: ReadRowsOptions): Promise<SourceRow[]> {
  const { format, file } = options;
  if (format === 'parquet') return readParquet(bytes, file);
  const text = decodeUtf8(bytes, file);
  if (format === 'csv') {
    return readCsv(text, {
      file,
      ...(options.header === undefined ? {} : { header: options.header }),
    });
  }
  if (format === 'jsonl') return readJsonLines(text, file);
  if (format === 'json') return readJsonRows(text, file);
  return text.split(/\r?\n/u).flatMap((line, index) => {
    const clean = index === 0 ? line.replace(/^\uFEFF/u, '') : line;
    return clean.trim() === '' ? [] : [{ cells: { text: clean }, row: index + 1, line: index + 1 }];
  });
}

/** The format that a file name announces. Throws `BAD_ARGUMENT` for an unknown ending. */
export function formatOf(file: string): SourceFormat {
  const ending = /\.([a-z0-9]+)$/iu.exec(file)?.[1]?.toLowerCase();
  if (ending === 'csv' || ending === 'json' || ending === 'jsonl' || ending === 'parquet') {
    return ending;
  }
  if (ending === 'txt') return 'lines';
  if (ending === 'ndjson') return 'jsonl';
  throw new HarmEvalError(`${file}: the file ending names no known format`, {
    code: 'BAD_ARGUMENT',
    hint: 'use a .csv, .json, .jsonl, .parquet or .txt file',
    location: { file },
  });
}
