// JSON and JSON Lines to rows: BOM stripped, the broken line named, columnar objects turned into rows.
import { HarmEvalError } from '../harm-eval-error.ts';
import type { SourceRow } from './row.ts';

const BOM = '\uFEFF';

function withoutBom(text: string): string {
  return text.startsWith(BOM) ? text.slice(1) : text;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Line of the character offset that V8 names in its message, when it names one. */
function lineOfFailure(text: string, error: unknown): number | undefined {
  const message = error instanceof Error ? error.message : '';
  const position = /position (\d+)/u.exec(message)?.[1];
  if (position !== undefined) return text.slice(0, Number(position)).split('\n').length;
  return /end of JSON input|Unterminated/iu.test(message) ? text.split('\n').length : undefined;
}

/** The whole document. Throws `BAD_FILE` with the line where parsing stopped. */
export function readJsonDocument(text: string, file = 'json text'): unknown {
  const clean = withoutBom(text);
  try {
    return JSON.parse(clean);
  } catch (error) {
    const line = lineOfFailure(clean, error);
    const at = line === undefined ? '' : `, line ${line}`;
    // The parser's own message quotes the text around the fault, which may be harmful: it is not repeated.
    throw new HarmEvalError(`${file}${at}: not valid JSON`, {
      code: 'BAD_FILE',
      hint: 'the file is truncated or is not JSON: fetch it again',
      location: { file, ...(line === undefined ? {} : { line }) },
    });
  }
}

/** Rows of a JSON array: of objects as they are, of strings as `{ text }`. */
export function readJsonRows(text: string, file = 'json text'): SourceRow[] {
  const document = readJsonDocument(text, file);
  if (!Array.isArray(document)) {
    throw new HarmEvalError(`${file}: the top level is not an array of rows`, {
      code: 'BAD_FILE',
      hint: 'pass the file that the dataset declares, or a JSON array of objects',
      location: { file },
    });
  }
  return document.map((value: unknown, index) => {
    if (typeof value === 'string') return { cells: { text: value }, row: index + 1 };
    if (isRecord(value)) return { cells: value, row: index + 1 };
    throw new HarmEvalError(
      `${file}, row ${index + 1}: expected an object or a string, found ${value === null ? 'null' : typeof value}`,
      {
        code: 'BAD_FILE',
        hint: 'every row must be an object with the declared columns, or a plain string',
        location: { file, row: index + 1 },
      },
    );
  });
}

/** Rows of a JSON Lines file; blank lines are skipped. Throws `BAD_FILE` with the line number. */
export function readJsonLines(text: string, file = 'jsonl text'): SourceRow[] {
  const rows: SourceRow[] = [];
  withoutBom(text)
    .split('\n')
    .forEach((content, index) => {
      if (content.trim() === '') return;
      const line = index + 1;
      let value: unknown;
      try {
        value = JSON.parse(content);
      } catch {
        value = undefined;
      }
      if (!isRecord(value)) {
        throw new HarmEvalError(`${file}, line ${line}: not a JSON object`, {
          code: 'BAD_FILE',
          hint: 'the file is truncated or is not JSON Lines: fetch it again',
          location: { file, line },
        });
      }
      rows.push({ cells: value, row: rows.length + 1, line });
    });
  return rows;
}
