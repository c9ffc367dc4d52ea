// The lines of a file with their byte places, without holding more than one piece of it.
import { createReadStream } from 'node:fs';

export interface Line {
  readonly offset: number;
  /** Bytes without the line break. */
  readonly length: number;
  readonly text: string;
  /** False for a last line that does not end in a line break: it may still be growing. */
  readonly ended: boolean;
}

const PIECE = 1 << 20;
const NEWLINE = 0x0a;

/** Yields one array of lines for each piece read, starting at byte `from`. */
export async function* readLines(file: string, from: number): AsyncGenerator<readonly Line[]> {
  const rest: Buffer[] = [];
  let offset = from;
  for await (const piece of createReadStream(file, { start: from, highWaterMark: PIECE })) {
    const data = piece as Buffer;
    const lines: Line[] = [];
    let start = 0;
    for (;;) {
      const end = data.indexOf(NEWLINE, start);
      if (end < 0) break;
      const part = data.subarray(start, end);
      const whole = rest.length > 0 ? Buffer.concat([...rest, part]) : part;
      rest.length = 0;
      lines.push({ offset, length: whole.length, text: whole.toString('utf8'), ended: true });
      offset += whole.length + 1;
      start = end + 1;
    }
    if (start < data.length) rest.push(Buffer.from(data.subarray(start)));
    yield lines;
  }
  if (rest.length === 0) return;
  const whole = Buffer.concat(rest);
  yield [{ offset, length: whole.length, text: whole.toString('utf8'), ended: false }];
}
