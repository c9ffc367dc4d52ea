// results.jsonl by byte offset: what is needed to filter and count stays in memory, a record is read when it is shown.
import { type FileHandle, open, stat } from 'node:fs/promises';
import {
  createIndexBuilder,
  type IndexBuilder,
  type RunIndex,
  type TrialRecord,
  trialHeadSchema,
  trialRecordSchema,
} from '@safeinfer/viewer';
import { readLines } from './read-lines.ts';
import { createTextSearch } from './text-search.ts';
import { ViewError } from './view-error.ts';

export interface ResultsFile {
  readonly index: RunIndex;
  readonly find: IndexBuilder['find'];
  /** Records read so far, replaced ones included. */
  records(): number;
  /** Lines that are no trial records, and why, the first few. */
  unreadable(): { readonly count: number; readonly first: readonly string[] };
  /** Items with a record whose text contains `q`. */
  itemsWithText(q: string): ReadonlySet<number>;
  /** Reads on where the file has grown. False: it is another file now, and this object is of no use. */
  update(): Promise<boolean>;
  /** Runs `use` with a reader of single records. */
  reading<T>(use: (reader: RecordReader) => Promise<T>): Promise<T>;
}

export interface RecordReader {
  /** @returns undefined where the item has no record in that column. */
  record(item: number, column: number): Promise<TrialRecord | undefined>;
  /** The first record of an item, whatever its column. */
  anyRecord(item: number): Promise<TrialRecord>;
}

/** Reasons kept: enough to see the pattern. */
const REASONS = 3;

/** Reads the whole file once. A missing file is a run without results. */
export async function openResults(file: string): Promise<ResultsFile> {
  const builder = createIndexBuilder();
  const search = createTextSearch();
  const offsets: number[] = [];
  const lengths: number[] = [];
  const itemOfRecord: number[] = [];
  /** columns x items: 1 + record number. */
  const recordOf: number[][] = [];
  const reasons: string[] = [];
  let unreadable = 0;
  let lineNumber = 0;
  let end = 0;
  let inode: number | undefined;

  const takeLine = (text: string, offset: number, length: number): boolean => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return false;
    }
    const parsed = trialHeadSchema.safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      refuse(`line ${lineNumber}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
      return true;
    }
    const { item, column } = builder.add(parsed.data);
    const { prompt, output, itemId } = parsed.data;
    search.add(`${prompt}\n${output}\n${itemId}`);
    recordOf[column] ??= [];
    recordOf[column][item] = offsets.push(offset);
    lengths.push(length);
    itemOfRecord.push(item);
    return true;
  };
  const refuse = (reason: string): void => {
    unreadable += 1;
    if (reasons.length < REASONS) reasons.push(reason);
  };
  const readOn = async (): Promise<void> => {
    for await (const lines of readLines(file, end)) {
      for (const { offset, length, text, ended } of lines) {
        const blank = text.trim() === '';
        if (ended) lineNumber += 1;
        const taken = blank || takeLine(text, offset, length);
        // A last line that cannot be read yet may still be on its way.
        if (!taken && !ended) continue;
        if (!taken) refuse(`line ${lineNumber}: not JSON`);
        end = offset + length + (ended ? 1 : 0);
      }
    }
  };
  const facts = await statOf(file);
  inode = facts?.ino;
  if (facts) await readOn();

  let updating: Promise<boolean> = Promise.resolve(true);
  const update = async (): Promise<boolean> => {
    const now = await statOf(file);
    if (now?.ino !== inode || (now?.size ?? 0) < end) return false;
    if (now && now.size > end) await readOn();
    return true;
  };
  return {
    index: builder.index,
    find: builder.find,
    records: () => offsets.length,
    unreadable: () => ({ count: unreadable, first: reasons }),
    itemsWithText: (q) => new Set(search.find(q).map((record) => itemOfRecord[record]!)),
    update() {
      updating = updating.then(update);
      return updating;
    },
    async reading(use) {
      const handle = await open(file);
      try {
        const { ino } = await handle.stat();
        if (ino !== inode) throw new ViewError(409, 'results.jsonl was replaced; ask again');
        const read = (number: number): Promise<TrialRecord> =>
          readRecord(handle, offsets[number]!, lengths[number]!);
        return await use({
          async record(item, column) {
            const number = recordOf[column]?.[item];
            return number === undefined ? undefined : read(number - 1);
          },
          anyRecord(item) {
            const number = recordOf.find((column) => column?.[item] !== undefined)?.[item];
            if (number === undefined) throw new ViewError(404, `no item number ${item}`);
            return read(number - 1);
          },
        });
      } finally {
        await handle.close();
      }
    },
  };
}

async function readRecord(
  handle: FileHandle,
  offset: number,
  length: number,
): Promise<TrialRecord> {
  const bytes = Buffer.alloc(length);
  await handle.read(bytes, 0, length, offset);
  const parsed = trialRecordSchema.safeParse(JSON.parse(bytes.toString('utf8')));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ViewError(
    409,
    `a record of results.jsonl cannot be shown: ${issue?.path.join('.')} ${issue?.message}`,
  );
}

async function statOf(
  file: string,
): Promise<{ readonly ino: number; readonly size: number } | undefined> {
  try {
    return await stat(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}
