// Mutations of files for property tests: of bytes, and of parsed JSON.
import fc from 'fast-check';

/** Changes a copy of some bytes. */
export type ByteMutation = (bytes: Buffer) => Buffer;

/** A place as a fraction, evenly spread: fc.double would nearly always be close to 0. */
const at = fc.noBias(fc.integer({ min: 0, max: 2 ** 32 - 1 })).map((value) => value / 2 ** 32);
const place = (bytes: Buffer, where: number): number => Math.floor(where * bytes.length);

/** Integers that overflow, wrap, or lose precision somewhere on the way. */
const hostileNumbers: readonly string[] = [
  '0',
  '-1',
  '1.5',
  '1e400',
  '2147483648',
  '4294967295',
  '9007199254740993',
  '18446744073709551616',
  '99999999999999999999999999',
];

const oneByteMutation: fc.Arbitrary<ByteMutation> = fc.oneof(
  fc.record({ at, bit: fc.nat(7) }).map(
    ({ at: where, bit }): ByteMutation =>
      (bytes) => {
        const copy = Buffer.from(bytes);
        const i = place(copy, where);
        if (copy.length > 0) copy[i] = (copy[i] as number) ^ (1 << bit);
        return copy;
      },
  ),
  at.map(
    (where): ByteMutation =>
      (bytes) =>
        bytes.subarray(0, place(bytes, where)),
  ),
  fc.record({ at, inserted: fc.uint8Array({ minLength: 1, maxLength: 16 }) }).map(
    ({ at: where, inserted }): ByteMutation =>
      (bytes) => {
        const i = place(bytes, where);
        return Buffer.concat([bytes.subarray(0, i), inserted, bytes.subarray(i)]);
      },
  ),
  fc.record({ from: at, to: at, length: fc.integer({ min: 1, max: 64 }) }).map(
    ({ from, to, length }): ByteMutation =>
      (bytes) => {
        // Copies a piece elsewhere: doubles keys, brackets and offsets.
        const start = place(bytes, from);
        const i = place(bytes, to);
        const piece = bytes.subarray(start, start + length);
        return Buffer.concat([bytes.subarray(0, i), piece, bytes.subarray(i)]);
      },
  ),
  fc.record({ at, length: fc.integer({ min: 1, max: 64 }) }).map(
    ({ at: where, length }): ByteMutation =>
      (bytes) => {
        const i = place(bytes, where);
        return Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + length)]);
      },
  ),
  fc.record({ at, value: fc.constantFrom(...hostileNumbers) }).map(
    ({ at: where, value }): ByteMutation =>
      (bytes) => {
        // Replaces one number of the text by a hostile one.
        const text = bytes.toString('latin1');
        const numbers = [...text.matchAll(/(?<=[[,:])\d+/g)];
        const match = numbers[Math.floor(where * numbers.length)];
        if (match === undefined) return bytes;
        const end = match.index + match[0].length;
        return Buffer.from(text.slice(0, match.index) + value + text.slice(end), 'latin1');
      },
  ),
  fc
    .record({ at, word: fc.constantFrom('F32', 'BF16', 'F4', 'BOOL', 'U64', '__proto__', '../x') })
    .map(
      ({ at: where, word }): ByteMutation =>
        (bytes) => {
          const text = bytes.toString('latin1');
          const strings = [...text.matchAll(/"[^"]{1,40}"/g)];
          const match = strings[Math.floor(where * strings.length)];
          if (match === undefined) return bytes;
          const end = match.index + match[0].length;
          return Buffer.from(`${text.slice(0, match.index)}"${word}"${text.slice(end)}`, 'latin1');
        },
    ),
);

/** One to three byte mutations in a row. */
export const byteMutation: fc.Arbitrary<ByteMutation> = fc
  .array(oneByteMutation, { minLength: 1, maxLength: 3 })
  .map(
    (list): ByteMutation =>
      (bytes) =>
        list.reduce((mutated, mutate) => mutate(mutated), bytes),
  );

/** Values that a careless reader trips over. */
const hostileValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1,
    0.5,
    1e15,
    4e9,
    2 ** 53,
    1e308,
    -1e308,
    '',
    '__proto__',
    'constructor',
    '../../x',
    'x'.repeat(5000),
    [],
    {},
    [[]],
    [null],
    { type: 'Sequence' },
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Changes a parsed JSON value; the value itself stays as it is. */
export type JsonMutation = (value: unknown) => unknown;

const oneJsonMutation: fc.Arbitrary<JsonMutation> = fc
  .record({
    path: fc.array(at, { minLength: 1, maxLength: 6 }),
    action: fc.constantFrom('replace', 'replace', 'replace', 'delete', 'double'),
    value: hostileValues,
  })
  .map(
    (edit): JsonMutation =>
      (value) =>
        edited(value, edit, 0),
  );

interface Edit {
  readonly path: readonly number[];
  readonly action: string;
  readonly value: unknown;
}

/** Walks down by fractions of the number of entries, then edits where the path or the value ends. */
function edited(value: unknown, edit: Edit, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return edit.value;
  const entries: [string, unknown][] = Object.entries(value);
  const i = Math.floor((edit.path[depth] ?? 0) * entries.length);
  const entry = entries[i];
  if (entry === undefined) return edit.value;
  const isLeaf = typeof entry[1] !== 'object' || entry[1] === null;
  if (depth + 1 < edit.path.length && !isLeaf) {
    entries[i] = [entry[0], edited(entry[1], edit, depth + 1)];
  } else if (edit.action === 'delete') {
    entries.splice(i, 1);
  } else if (edit.action === 'double') {
    entries.push([`${entry[0]}2`, entry[1]]);
  } else {
    entries[i] = [entry[0], edit.value];
  }
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}

/** One to three edits of a JSON value. */
export const jsonMutation: fc.Arbitrary<JsonMutation> = fc
  .array(oneJsonMutation, { minLength: 1, maxLength: 3 })
  .map(
    (list): JsonMutation =>
      (value) =>
        list.reduce((result, mutate) => mutate(result), value),
  );
