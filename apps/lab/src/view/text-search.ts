// Finds the records whose text contains something: lower-case UTF-8 in blocks, scanned by Buffer.indexOf.

export interface TextSearch {
  /** Records are numbered in the order they are added. */
  add(text: string): void;
  /** Numbers of the records that contain `text`, letter case aside. */
  find(text: string): number[];
}

/** Characters gathered before a block is encoded. */
const BLOCK = 1 << 20;
/** Between records, so that nothing is found across two of them. */
const SEPARATOR = '\0';

interface Block {
  readonly bytes: Buffer;
  readonly first: number;
  /** Byte where each record begins. */
  readonly starts: readonly number[];
}

export function createTextSearch(): TextSearch {
  const blocks: Block[] = [];
  let pending: string[] = [];
  let pendingLength = 0;
  let count = 0;
  const seal = (): void => {
    if (pending.length === 0) return;
    const starts: number[] = [];
    let at = 0;
    for (const text of pending) {
      starts.push(at);
      at += Buffer.byteLength(text) + SEPARATOR.length;
    }
    const bytes = Buffer.from(pending.join(SEPARATOR));
    blocks.push({ bytes, first: count - pending.length, starts });
    pending = [];
    pendingLength = 0;
  };
  return {
    add(text) {
      pending.push(text.toLowerCase().replaceAll(SEPARATOR, ' '));
      pendingLength += text.length;
      count += 1;
      if (pendingLength >= BLOCK) seal();
    },
    find(text) {
      seal();
      const needle = Buffer.from(text.toLowerCase());
      if (needle.length === 0) return [];
      return blocks.flatMap((block) => findInBlock(block, needle));
    },
  };
}

function findInBlock({ bytes, first, starts }: Block, needle: Buffer): number[] {
  const found: number[] = [];
  let record = 0;
  let at = bytes.indexOf(needle);
  while (at >= 0) {
    while (record + 1 < starts.length && starts[record + 1]! <= at) record += 1;
    found.push(first + record);
    // One hit a record is enough.
    const next = starts[record + 1];
    if (next === undefined) break;
    at = bytes.indexOf(needle, next);
  }
  return found;
}
