// The reader against files that the Python library wrote, and against every hazard of the format.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors } from './safetensors-file.ts';

const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
let directory: string;
let files = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterAll(() => rm(directory, { recursive: true }));

/** A file from header text (or bytes) and data; `length` overrides the header length field. */
async function craft(
  header: string | Uint8Array,
  data: Uint8Array | number = 0,
  length?: bigint,
): Promise<string> {
  const text = typeof header === 'string' ? Buffer.from(header) : Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(text.length));
  const body = typeof data === 'number' ? Buffer.alloc(data) : Buffer.from(data);
  const path = join(directory, `${files++}.safetensors`);
  await writeFile(path, Buffer.concat([prefix, text, body]));
  return path;
}

interface Expected {
  readonly tensors: Record<
    string,
    { readonly shape: number[]; readonly values: string[] | null; readonly exact?: string[] }
  >;
  readonly allHalvesSha256: string;
  readonly allBrainsSha256: string;
}

async function expectedValues(): Promise<Expected> {
  return JSON.parse(await readFile(join(fixtures, 'expected.json'), 'utf8')) as Expected;
}

/** Python's spelling of non-finite floats. */
function number(text: string): number {
  const special: Record<string, number> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };
  return special[text] ?? Number(text);
}

describe('openSafetensors on a file written by Python', () => {
  it('reads every dtype with the values that torch wrote', async () => {
    const expected = await expectedValues();
    await using file = await openSafetensors(join(fixtures, 'dtypes.safetensors'));
    expect([...file.tensors.keys()].sort()).toEqual(Object.keys(expected.tensors).sort());
    expect(file.metadata.get('note')).toBe('ünïcode "q"');
    for (const [name, { shape, values }] of Object.entries(expected.tensors)) {
      expect(file.tensors.get(name)?.shape).toEqual(shape);
      if (values === null || name === 'i64_wide') continue;
      const { data } = await file.read(name);
      expect([...data].map(Math.fround), name).toEqual(values.map(number).map(Math.fround));
      const zeros = values.map(number).findIndex((value) => Object.is(value, -0));
      if (zeros >= 0) expect(Object.is(data[zeros], -0)).toBe(true);
    }
    const wide = await file.readFloat64('f64');
    expect([...wide]).toEqual(expected.tensors['f64']?.exact?.map(number));
    expect(wide[4]).not.toBe(Math.fround(wide[4] ?? 0));
  });

  it('names the dtype that it cannot convert, and still gives the bytes', async () => {
    await using file = await openSafetensors(join(fixtures, 'dtypes.safetensors'));
    await expect(file.read('f8')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('F8_E4M3'),
    });
    // 1.0 and -2.0 in E4M3 (bias 7).
    expect([...(await file.readRaw('f8'))]).toEqual([0x38, 0xc0]);
  });

  it('refuses an integer that int32 cannot hold instead of wrapping it', async () => {
    await using file = await openSafetensors(join(fixtures, 'dtypes.safetensors'));
    await expect(file.read('i64_wide')).rejects.toMatchObject({ code: 'BAD_WEIGHTS' });
  });

  it('decodes all 65,536 patterns of F16 and BF16 as NumPy does', async () => {
    const { allHalvesSha256, allBrainsSha256 } = await expectedValues();
    const bits = new Uint16Array(65_536).map((_, i) => i);
    for (const [dtype, sum] of [
      ['F16', allHalvesSha256],
      ['BF16', allBrainsSha256],
    ] as const) {
      const header = `{"x":{"dtype":"${dtype}","shape":[65536],"data_offsets":[0,131072]}}`;
      await using file = await openSafetensors(await craft(header, new Uint8Array(bits.buffer)));
      const { data } = await file.read('x');
      const plain = Float32Array.from(data, (value) => (Number.isNaN(value) ? 0 : value));
      expect(createHash('sha256').update(new Uint8Array(plain.buffer)).digest('hex')).toBe(sum);
    }
  });
});

describe('reading', () => {
  it('reads tensors at offsets that no typed array could view', async () => {
    const header =
      '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},' +
      '"b":{"dtype":"F32","shape":[2],"data_offsets":[3,11]}}';
    const data = Buffer.alloc(11);
    data.set([1, 2, 3]);
    data.writeFloatLE(1.5, 3);
    data.writeFloatLE(-8, 7);
    await using file = await openSafetensors(await craft(header, data));
    expect([...(await file.read('b')).data]).toEqual([1.5, -8]);
  });

  it('reads rows without the rest, and refuses rows outside the tensor', async () => {
    await using file = await openSafetensors(join(fixtures, 'dtypes.safetensors'));
    for (const name of ['f32', 'bf16']) {
      const whole = await file.read(name);
      const part = await file.read(name, { rows: [1, 3] });
      expect(part.shape).toEqual([2, 4]);
      expect([...part.data]).toEqual([...whole.data.subarray(4)]);
    }
    for (const rows of [
      [2, 1],
      [0, 4],
      [-1, 2],
      [0, 1.5],
    ] as const) {
      await expect(file.read('f32', { rows })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    }
    await expect(file.read('scalar', { rows: [0, 1] })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
  });

  it('converts a tensor of several chunks in every part', async () => {
    // 5,000,000 BF16 elements are 10 MB: three chunks of 4 MiB.
    const count = 5_000_000;
    const bits = new Uint16Array(count).map((_, i) => (i * 7919) & 0x7eff);
    const header = `{"x":{"dtype":"BF16","shape":[${count}],"data_offsets":[0,${count * 2}]}}`;
    await using file = await openSafetensors(await craft(header, new Uint8Array(bits.buffer)));
    const { data } = await file.read('x');
    const back = new Uint32Array(data.buffer);
    expect(back.findIndex((word, i) => word !== (bits[i] as number) * 65_536)).toBe(-1);
    const tail = await file.read('x', { rows: [count - 3, count] });
    expect([...tail.data]).toEqual([...data.subarray(count - 3)]);
  });

  it('stops when the signal fires, after close, and when the file shrinks', async () => {
    const header = '{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}';
    const path = await craft(header, 16);
    const file = await openSafetensors(path);
    await expect(file.read('x', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    await truncate(path, 8 + header.length + 7);
    await expect(file.read('x')).rejects.toMatchObject({ code: 'BAD_FILE' });
    await file.close();
    await file.close();
    await expect(file.read('x')).rejects.toMatchObject({ code: 'DISPOSED' });
    await expect(file.read('nowhere')).rejects.toMatchObject({ code: 'BAD_WEIGHTS' });
  });

  it('does not open what is not a regular file', async () => {
    await expect(openSafetensors(directory)).rejects.toMatchObject({ code: 'BAD_FILE' });
    await expect(openSafetensors(join(directory, 'absent'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

const one = (fields: string): string => `{"x":{${fields}}}`;
const scalar = '"dtype":"F32","shape":[1],"data_offsets":[0,4]';

describe('a hostile or broken file', () => {
  const cases: readonly [
    what: string,
    header: string | Uint8Array,
    bytes: number,
    reason: RegExp,
  ][] = [
    ['an empty header', '', 0, /does not start with/],
    ['a leading space', ` ${one(scalar)}`, 4, /does not start with/],
    ['a byte order mark', `\ufeff${one(scalar)}`, 4, /does not start with/],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 0, /not UTF-8/],
    ['NUL padding', `${one(scalar)}\0\0`, 4, /padded with byte 0x00/],
    ['newline padding', `${one(scalar)}\n`, 4, /padded with byte 0x0a/],
    ['two documents', `${one(scalar)}{}`, 4, /only spaces/],
    ['a cut header', one(scalar).slice(0, -1), 4, /where/],
    ['a trailing comma', `{"x":{${scalar}},}`, 4, /string key/],
    ['an array', '[]', 0, /does not start with/],
    ['a duplicate name', `{"x":{${scalar}},"x":{${scalar}}}`, 4, /duplicate tensor name "x"/],
    ['a duplicate by escape', `{"x":{${scalar}},"\\u0078":{${scalar}}}`, 4, /duplicate/],
    ['a duplicate field', one(`${scalar},"shape":[1]`), 4, /two 'shape'/],
    ['duplicate metadata', '{"__metadata__":{"a":"1","a":"2"}}', 0, /duplicate key/],
    ['two metadata maps', '{"__metadata__":{},"__metadata__":{}}', 0, /duplicate key/],
    ['metadata that is no string', '{"__metadata__":{"a":1}}', 0, /not a string/],
    ['a lone surrogate', '{"\\ud800":{}}', 0, /bad escape/],
    ['a control character', '{"a\nb":{}}', 0, /end of a string/],
    ['a missing field', one('"dtype":"F32","shape":[1]'), 4, /lacks/],
    ['an unknown dtype', one(scalar.replace('F32', 'F128')), 4, /unknown dtype/],
    ['a dtype of Object', one(scalar.replace('F32', 'constructor')), 4, /unknown dtype/],
    ['a negative size', one(scalar.replace('[1]', '[-1]')), 4, /non-negative safe integer/],
    ['a fraction', one(scalar.replace('[1]', '[1.0]')), 4, /non-negative safe integer/],
    ['a size beyond 2^53', one(scalar.replace('[1]', '[9007199254740993]')), 4, /safe integer/],
    ['one offset', one(scalar.replace('[0,4]', '[0]')), 4, /must be \[begin, end\]/],
    ['three offsets', one(scalar.replace('[0,4]', '[0,4,4]')), 4, /more than 2/],
    ['a negative offset', one(scalar.replace('[0,4]', '[-4,0]')), 4, /non-negative/],
    ['reversed offsets', one(scalar.replace('[0,4]', '[4,0]')), 4, /ends before it begins/],
    ['a size that disagrees', one(scalar.replace('[1]', '[2]')), 4, /needs 64 bits/],
    ['an overflowing shape', one(scalar.replace('[1]', '[4294967296,4294967296,1]')), 4, /needs/],
    ['an offset past the end', one(scalar.replace('[0,4]', '[4,8]')), 4, /leaves a hole/],
    ['trailing bytes', one(scalar), 5, /the file holds 5/],
    ['too little data', one(scalar), 3, /the file holds 3/],
    ['an overlap', `{"x":{${scalar}},"y":{${scalar}}}`, 4, /overlaps/],
    ['rank 65', one(scalar.replace('[1]', `[${Array(65).fill(1)}]`)), 4, /more than 64/],
    ['deep nesting', `{"x":{"n":${'['.repeat(10_000)}`, 0, /nests deeper/],
    ['half a byte', one('"dtype":"F4","shape":[3],"data_offsets":[0,1]'), 1, /needs 12 bits/],
  ];

  it.each(cases)('%s is refused by name', async (_, header, bytes, reason) => {
    await expect(openSafetensors(await craft(header, bytes))).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringMatching(reason),
    });
  });

  it.each([
    ['longer than the file', 20n],
    ['of gigabytes', 99_999_999n],
    ['past the cap', 100_000_001n],
    ['of 2^64 - 1', 0xffff_ffff_ffff_ffffn],
    ['that a double would round into range', 0x0020_0000_0000_0001n],
  ])('a header length %s is refused before anything is allocated', async (_, length) => {
    const path = await craft('{}', 0, length);
    const before = process.memoryUsage().arrayBuffers;
    await expect(openSafetensors(path)).rejects.toMatchObject({ code: 'BAD_FILE' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });

  it('a file shorter than its length field is refused', async () => {
    const path = join(directory, 'short.safetensors');
    await writeFile(path, Buffer.alloc(7));
    await expect(openSafetensors(path)).rejects.toMatchObject({ code: 'BAD_FILE' });
  });

  it('accepts what is odd but legal', async () => {
    const odd =
      '{ "x" : {"extra":{"a":[1,{"b":null}],"c":-1.5e3,"d":true},' +
      '"data_offsets":[0,4],"shape":[1,1],"dtype":"F32"},\n' +
      '"e":{"dtype":"F32","shape":[0,9007199254740991,9007199254740991],"data_offsets":[4,4]},' +
      '"constructor":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}   ';
    await using file = await openSafetensors(await craft(odd, 8));
    expect([...file.tensors.keys()]).toEqual(['x', 'e', 'constructor']);
    expect((await file.read('e')).data.length).toBe(0);
    expect((await file.read('e', { rows: [0, 0] })).data.length).toBe(0);
    expect((await file.read('constructor')).data.length).toBe(1);
  });
});
