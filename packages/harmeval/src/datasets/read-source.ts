// Bytes of a declared dataset to checked rows: pinned hashes, row counts, columns, dropped rows.
import { sha256 } from '../canonical-hash.ts';
import { HarmEvalError } from '../harm-eval-error.ts';
import type { DatasetSource, Edition } from './dataset-spec.ts';
import { concernsSexualContentWithMinors } from './minors-filter.ts';
import { decodeUtf8, formatOf, readRows } from './read-rows.ts';
import { cellText, type SourceRow } from './row.ts';

/** Bytes by declared path; for a set of one file any key will do. */
export type DatasetFiles = Readonly<Record<string, Uint8Array>>;

export interface ReadSourceOptions {
  /**
   * Accept files whose hash and row count match no declared edition (a newer revision, an own subset). The report then
   * says `verified: 'none'`, and columns are still checked.
   */
  readonly allowUnpinned?: boolean;
}

/** What happened on load; stands beside every number that is computed from the set. */
export interface LoadReport {
  /** Hash over all files. */
  readonly sha256: string;
  readonly edition: string | null;
  /** How the edition was recognised: by file hashes, by row count only, or not at all. */
  readonly verified: 'sha256' | 'rows' | 'none';
  readonly rowsInFiles: number;
  /** Rows about sexual content with minors: dropped always. */
  readonly droppedMinors: number;
  /** Rows without a question, or that the set's loader leaves out (see its caveats). */
  readonly droppedEmpty: number;
  /** Rows whose question occurred before. */
  readonly droppedDuplicates: number;
}

export interface SourceRecords<T> {
  readonly records: readonly { readonly item: T; readonly row: SourceRow; readonly file: string }[];
  readonly report: LoadReport;
}

/** Reads and checks all files of a dataset. Throws `WRONG_DATASET`, `BAD_DATASET` or `BAD_FILE`; never returns part. */
export async function readSource<T>(
  source: DatasetSource<T>,
  files: DatasetFiles,
  options: ReadSourceOptions = {},
): Promise<SourceRecords<T>> {
  const given = matchFiles(source, files);
  const hashes = Object.fromEntries(given.map(({ path, bytes }) => [path, sha256(bytes)]));
  const rows: { readonly row: SourceRow; readonly file: string }[] = [];
  for (const { path, bytes, format, header } of given) {
    const parsed =
      source.readRows === undefined
        ? await readRows(bytes, {
            format,
            file: path,
            ...(header === undefined ? {} : { header }),
          })
        : source.readRows(decodeUtf8(bytes, path), path);
    for (const row of parsed) {
      requireColumns(source, row, path);
      rows.push({ row, file: path });
    }
  }
  const recognised = recognise(source, hashes, rows.length, options);
  const records: { item: T; row: SourceRow; file: string }[] = [];
  let droppedMinors = 0;
  let droppedEmpty = 0;
  for (const { row, file } of rows) {
    const item = source.toItem(row, file);
    if (concernsSexualContentWithMinors(allTexts(row), categoryOf(item))) droppedMinors += 1;
    else if (item === null) droppedEmpty += 1;
    else records.push({ item, row, file });
  }
  return {
    records,
    report: {
      sha256: sha256(given.map(({ path }) => `${hashes[path] ?? ''}  ${path}`).join('\n')),
      ...recognised,
      rowsInFiles: rows.length,
      droppedMinors,
      droppedEmpty,
      droppedDuplicates: 0,
    },
  };
}

/** Items of all kinds may name a category; published sets give such rows one of their own. */
function categoryOf(item: unknown): string | null {
  const category = (item as { readonly category?: unknown } | null)?.category;
  return typeof category === 'string' ? category : null;
}

function allTexts(row: SourceRow): string[] {
  return Object.keys(row.cells).map((column) => cellText(row, column));
}

function matchFiles<T>(source: DatasetSource<T>, files: DatasetFiles) {
  const keys = Object.keys(files);
  return source.files.map((declared) => {
    const only = source.files.length === 1 && keys.length === 1 ? keys[0] : undefined;
    const bytes = files[declared.path] ?? (only === undefined ? undefined : files[only]);
    const name = only ?? declared.path;
    if (bytes === undefined) {
      throw new HarmEvalError(`${source.name}: file ${declared.path} is missing`, {
        code: 'WRONG_DATASET',
        hint: `pass the bytes of: ${source.files.map((file) => file.path).join(', ')}`,
        location: { file: declared.path },
      });
    }
    return { ...declared, bytes, format: declared.format ?? formatOf(name) };
  });
}

function requireColumns<T>(source: DatasetSource<T>, row: SourceRow, file: string): void {
  const missing = source.columns.filter((column) => !(column in row.cells));
  if (missing.length === 0) return;
  const at = row.line === undefined ? `row ${row.row}` : `line ${row.line}`;
  throw new HarmEvalError(
    `${source.name}: ${file}, ${at}: column ${missing.join(', ')} is missing (found: ${Object.keys(row.cells).join(', ')})`,
    {
      code: 'WRONG_DATASET',
      hint: 'this is another file, or a revision with other columns: check the name and the pinned revision',
      location: { file, row: row.row, ...(row.line === undefined ? {} : { line: row.line }) },
    },
  );
}

function recognise<T>(
  source: DatasetSource<T>,
  hashes: Readonly<Record<string, string>>,
  rows: number,
  options: ReadSourceOptions,
): Pick<LoadReport, 'edition' | 'verified'> {
  const paths = source.files.map((file) => file.path);
  const byHash = source.editions.find((edition) =>
    paths.every((path) => edition.sha256?.[path] === hashes[path]),
  );
  if (byHash !== undefined) {
    if (byHash.rows !== rows) throw wrongCount(source, rows);
    return { edition: byHash.name, verified: 'sha256' };
  }
  const byRows = source.editions.find((edition) => edition.rows === rows);
  if (byRows !== undefined && !contradicts(byRows, hashes)) {
    return { edition: byRows.name, verified: 'rows' };
  }
  if (options.allowUnpinned === true || source.editions.length === 0)
    return { edition: null, verified: 'none' };
  throw byRows === undefined ? wrongCount(source, rows) : wrongHash(source, rows);
}

/** A declared hash that differs means a changed file, even when the number of rows is right. */
function contradicts(edition: Edition, hashes: Readonly<Record<string, string>>): boolean {
  return Object.entries(edition.sha256 ?? {}).some(([path, hash]) => hashes[path] !== hash);
}

function wrongCount<T>(source: DatasetSource<T>, rows: number): HarmEvalError {
  const known = source.editions.map((edition) => `${edition.rows} (${edition.name})`).join(', ');
  return new HarmEvalError(`${source.name}: ${rows} rows, expected ${known || 'none declared'}`, {
    code: 'BAD_DATASET',
    hint: 'the file is truncated or another revision; pass allowUnpinned to use it all the same, marked as unverified',
    location: { row: rows },
  });
}

function wrongHash<T>(source: DatasetSource<T>, rows: number): HarmEvalError {
  return new HarmEvalError(`${source.name}: right number of rows, but the content is changed`, {
    code: 'BAD_DATASET',
    hint: 'the SHA-256 differs from the pinned one: fetch the file again, or pass allowUnpinned to use it, marked as unverified',
    location: { row: rows },
  });
}
