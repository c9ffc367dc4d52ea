// The writer: rounding against torch, layout against the Python library, nothing half-written.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from './checkpoint.ts';
import { bfloat16Bits, float16Bits } from './rounding.ts';
import { openSafetensors } from './safetensors-file.ts';
import { type TensorToWrite, writeSafetensors } from './write-safetensors.ts';

const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
const python = join(homedir(), '.cache', 'safeinfer-parity-venv', 'bin', 'python');
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'write-safetensors-'));
});
afterAll(() => rm(directory, { recursive: true }));

describe('rounding to 16 bits', () => {
  it('gives the bits of torch for 24,000 values with ties, subnormals and overflows', async () => {
    await using file = await openSafetensors(join(fixtures, 'rounding.safetensors'));
    const { data } = await file.read('values');
    expect(data.length).toBe(24_000);
    for (const [name, round] of [
      ['f16', float16Bits],
      ['bf16', bfloat16Bits],
    ] as const) {
      const raw = await file.readRaw(name);
      const expected = new Uint16Array(raw.buffer, raw.byteOffset, data.length);
      const wrong = [...data].filter((value, i) => round(value) !== expected[i]);
      expect(wrong, name).toEqual([]);
    }
  });

  it('keeps NaN a NaN, also one whose payload would round away', () => {
    const nan = new Float32Array(new Uint32Array([0x7f80_0001]).buffer)[0] as number;
    expect(bfloat16Bits(nan) & 0x7fff).toBeGreaterThan(0x7f80);
    expect(float16Bits(nan) & 0x7fff).toBeGreaterThan(0x7c00);
  });
});

describe('writeSafetensors', () => {
  it('writes byte for byte what the Python library writes', async () => {
    for (const name of ['dtypes', 'rounding']) {
      const source = join(fixtures, `${name}.safetensors`);
      await using file = await openSafetensors(source);
      const tensors: TensorToWrite[] = [...file.tensors].map(([tensor, { dtype, shape }]) => ({
        name: tensor,
        dtype,
        shape,
        data: () => file.readRaw(tensor),
      }));
      const path = join(directory, `${name}.safetensors`);
      const metadata = Object.fromEntries(file.metadata);
      await writeSafetensors(path, tensors.reverse(), { metadata });
      expect(Buffer.compare(await readFile(path), await readFile(source)), name).toBe(0);
    }
  });

  it('round-trips any tensors', async () => {
    const path = join(directory, 'any.safetensors');
    const tensor = fc.record({
      name: fc.string({ unit: 'grapheme' }).filter((name) => name !== '__metadata__'),
      dtype: fc.constantFrom('F32', 'F64', 'I32'),
      shape: fc.array(fc.nat(3), { maxLength: 4 }),
      seed: fc.integer(),
    });
    const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(tensors, async (drawn) => {
        const written = drawn.map(({ name, dtype, shape, seed }) => {
          const count = shape.reduce((product, size) => product * size, 1);
          const values = Array.from({ length: count }, (_, i) => (seed ^ (i * 2654435761)) | 0);
          const data =
            dtype === 'I32'
              ? Int32Array.from(values)
              : dtype === 'F32'
                ? Float32Array.from(values)
                : Float64Array.from(values);
          return { name, dtype, shape, data } as const;
        });
        await writeSafetensors(path, written, { metadata: { a: 'b' } });
        await using file = await openSafetensors(path);
        expect(file.tensors.size).toBe(written.length);
        expect(file.metadata.get('a')).toBe('b');
        for (const { name, shape, data, dtype } of written) {
          const read = await file.read(name);
          expect(read.shape).toEqual(shape);
          const back = dtype === 'F64' ? await file.readFloat64(name) : read.data;
          expect([...back]).toEqual([...data]);
        }
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  it.runIf(existsSync(python))(
    'writes files that the Python library reads',
    async () => {
      const path = join(directory, 'to-python.safetensors');
      const values = Float32Array.from([1, -2.5, 0.1, 65504]);
      await writeSafetensors(path, [
        { name: 'f32', dtype: 'F32', shape: [2, 2], data: values },
        { name: 'f16', dtype: 'F16', shape: [4], data: values },
        { name: 'bf16', dtype: 'BF16', shape: [4, 1], data: values },
        { name: 'ids', dtype: 'I32', shape: [], data: Int32Array.of(-7) },
        { name: '__proto__', dtype: 'F64', shape: [0, 3], data: new Float64Array(0) },
      ]);
      const script = `
import json, sys
from safetensors import safe_open
from safetensors.torch import load_file
t = load_file(sys.argv[1])
f = safe_open(sys.argv[1], framework="pt")
print(json.dumps({"meta": f.metadata(), "t": {k: [str(v.dtype), list(v.shape), v.reshape(-1).tolist()] for k, v in t.items()}}))`;
      const { stdout } = await promisify(execFile)(python, ['-c', script, path]);
      const seen = JSON.parse(stdout) as { meta: unknown; t: Record<string, unknown> };
      expect(seen.meta).toEqual({ format: 'pt' });
      const half = 0.0999755859375;
      const brain = 0.10009765625;
      expect(Object.entries(seen.t)).toEqual(
        expect.arrayContaining([
          ['f32', ['torch.float32', [2, 2], [...values]]],
          ['f16', ['torch.float16', [4], [1, -2.5, half, 65504]]],
          ['bf16', ['torch.bfloat16', [4, 1], [1, -2.5, brain, 65536]]],
          ['ids', ['torch.int32', [], [-7]]],
          ['__proto__', ['torch.float64', [0, 3], []]],
        ]),
      );
    },
    240_000,
  );

  it('refuses bad tensors before it writes', async () => {
    const path = join(directory, 'refused.safetensors');
    const x = { name: 'x', dtype: 'F32', shape: [2], data: new Float32Array(2) } as const;
    const refused: (readonly TensorToWrite[])[] = [
      [x, x],
      [{ ...x, name: '__metadata__' }],
      [{ ...x, name: '\ud800' }],
      [{ ...x, shape: [3] }],
      [{ ...x, shape: [-2] }],
      [{ ...x, shape: [0.5, 4] }],
      [{ ...x, data: new Int32Array(2) }],
      [{ ...x, dtype: 'I64' }],
      [{ ...x, data: () => new Float32Array(3) }],
    ];
    for (const tensors of refused) {
      await expect(writeSafetensors(path, tensors)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    }
    const wide = { ...x, dtype: 'F16', data: Float32Array.of(1, 65520) } as const;
    await expect(writeSafetensors(path, [wide])).rejects.toMatchObject({ code: 'BAD_WEIGHTS' });
    expect(existsSync(path)).toBe(false);
  });

  it('leaves the old file and nothing else when it is aborted or a tensor throws', async () => {
    const folder = await mkdtemp(join(directory, 'atomic-'));
    const path = join(folder, 'model.safetensors');
    await writeFile(path, 'old');
    const data = new Float32Array(1);
    const abort = new AbortController();
    const aborted = writeSafetensors(
      path,
      [
        { name: 'a', dtype: 'F32', shape: [1], data },
        { name: 'b', dtype: 'F32', shape: [1], data },
      ],
      { signal: abort.signal, onProgress: () => abort.abort() },
    );
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    const failing = (): Float32Array => {
      throw new Error('no values');
    };
    await expect(
      writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [1], data: failing }]),
    ).rejects.toThrow('no values');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['model.safetensors']);
    await writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [1], data }]);
    await using checkpoint = await openCheckpoint(folder);
    expect([...checkpoint.tensors.keys()]).toEqual(['a']);
  });
});
