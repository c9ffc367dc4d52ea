// What a dataset declares about itself: where it is, which revision, how many rows, which columns, under what licence.
import type { RawItem } from './item.ts';
import type { SourceFormat, SourceRow } from './row.ts';

export interface SourceFile {
  /** Path inside the origin repository; `*.json` or `*`: the only (data) file of that ending, where no name is fixed. */
  readonly path: string;
  /** From the file's ending when absent. */
  readonly format?: SourceFormat;
  /** Column names of a CSV file without a header row. */
  readonly header?: readonly string[];
}

/** A known state of the files: the published one, or a filtered copy. */
export interface Edition {
  readonly name: string;
  /** Records over all files. */
  readonly rows: number;
  /** SHA-256 per file path, where it is known; a file that has one must match it. */
  readonly sha256?: Readonly<Record<string, string>>;
}

export type DatasetOrigin =
  | { readonly kind: 'hub'; readonly repo: string; readonly gated: boolean }
  | { readonly kind: 'github'; readonly repo: string }
  | { readonly kind: 'bundled' }
  | { readonly kind: 'local' };

/** Items with an id hash below `buildShare` may build vectors and adapters; only the others may be scored. */
export interface SplitRule {
  readonly salt: string;
  readonly buildShare: number;
}

export interface Licence {
  /** SPDX id, or `custom`. */
  readonly id: string;
  /** False: the files may be read where the user has them, never shipped or re-uploaded. */
  readonly redistributable: boolean;
  readonly note?: string;
}

export interface DatasetSource<Item> {
  readonly name: string;
  /** Commit of the origin that the counts below belong to; `main` where no commit is known, and then only counts hold. */
  readonly revision: string;
  readonly origin: DatasetOrigin;
  readonly files: readonly SourceFile[];
  /** None when the publisher's own counts disagree: then rows are reported and not checked. */
  readonly editions: readonly Edition[];
  readonly licence: Licence;
  /** Columns every row must have. */
  readonly columns: readonly string[];
  /** For files that are not tables (nested objects). */
  readonly readRows?: (text: string, file: string) => SourceRow[];
  /** Null for an empty row, which is counted and left out. */
  readonly toItem: (row: SourceRow, file: string) => Item | null;
  /** What a reader must know before comparing numbers. */
  readonly caveats?: readonly string[];
}

/** A set of prompts that are answered and judged. */
export interface DatasetSpec extends DatasetSource<RawItem> {
  readonly split: SplitRule;
}

/** Nothing is held for building: sets that only measure. */
export function testOnly(name: string): SplitRule {
  return { salt: `${name}/v1`, buildShare: 0 };
}
