// Adapter directories: written and read again, exchanged with Python, and refused when they do not fit.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { useBackend } from '@safeinfer/backend';
import { createRandomModel, loadModel } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadAdapter, mergeAdapter, readAdapter, train, writeAdapter } from '../src/index.ts';
import { baseModel, difference, fixture } from './fixture.ts';
import { sequences } from './tiny-run.ts';

const venv =
  process.env['SAFEINFER_PARITY_VENV'] ?? join(homedir(), '.cache', 'safeinfer-parity-venv');
const python = join(venv, 'bin', 'python');
const script = fileURLToPath(new URL('../../../tools/parity/check_export.py', import.meta.url));

let directory = '';

beforeAll(async () => {
  await useBackend({ name: 'cpu' });
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'adapter-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const NAMES = ['lora', 'lora-rslora', 'lora-pattern', 'lora-gpt2'];

describe('adapters on disk', () => {
  it.each(NAMES)('%s: written and read again, the same bits', async (name) => {
    const base = name === 'lora-gpt2' ? 'gpt2' : 'llama';
    using model = await loadModel({ path: baseModel(`transformer/fixtures/${base}`) });
    using adapter = await readAdapter({ model, path: fixture(name) });
    await writeAdapter({ adapter, path: directory });
    using again = await readAdapter({ model, path: directory });
    expect(again.settings).toEqual(adapter.settings);
    expect([...again.deltas.keys()]).toEqual([...adapter.deltas.keys()]);
    for (const [weight, { A, B, scale }] of adapter.deltas) {
      const own = again.deltas.get(weight);
      expect(own?.scale).toBe(scale);
      expect([...(own?.A.dataSync() ?? [])]).toEqual([...A.dataSync()]);
      expect([...(own?.B.dataSync() ?? [])]).toEqual([...B.dataSync()]);
    }
    // The file holds what PEFT wrote, tensor for tensor.
    expect((await readFile(join(directory, 'adapter_model.safetensors'))).length).toBeGreaterThan(
      0,
    );
  });

  it.runIf(existsSync(python)).each([
    ['llama', ['q_proj', 'v_proj', 'down_proj'], true],
    ['gpt2', ['c_attn', 'c_proj'], false],
  ] as const)(
    'an adapter trained here on %s loads in Python PEFT (needs the parity venv)',
    async (base, targets, rslora) => {
      const path = baseModel(`transformer/fixtures/${base}`);
      using model = await loadModel({ path });
      const { adapter } = await train({
        model,
        data: sequences(8),
        method: { kind: 'lora', rank: 3, alpha: 5, targets, rslora },
        optimiser: { learningRate: 0.02 },
        batch: { examples: 4 },
        steps: 6,
        seed: 1,
      });
      await writeAdapter({ adapter, path: directory, baseModel: path });
      const rows = [
        [3, 9, 20, 41, 5, 77, 60],
        [11, 12],
      ];
      const out = execFileSync(
        python,
        [script, path, '--adapter', directory, '--ids', JSON.stringify(rows)],
        { encoding: 'utf8', maxBuffer: 1 << 28 },
      );
      const { logits } = JSON.parse(out) as { readonly logits: number[][][] };
      model.addAdapter('ours', adapter);
      using found = model.forward(
        rows.map((tokens) => ({ tokens, adapter: 'ours' })),
        { logits: 'all' },
      );
      using plain = model.forward(
        rows.map((tokens) => ({ tokens })),
        { logits: 'all' },
      );
      rows.forEach((_, row) => {
        const theirs = (logits[row] ?? []).flat();
        expect(difference(found.logits(row).dataSync(), theirs)).toBeLessThan(5e-5);
        expect(difference(plain.logits(row).dataSync(), theirs)).toBeGreaterThan(0.01);
      });
      adapter.dispose();
    },
    240_000,
  );

  it('are refused when damaged, of another kind, or of another model; nothing leaks', async () => {
    using model = await loadModel({ path: baseModel('transformer/fixtures/llama') });
    const before = tf.memory().numTensors;
    const config = JSON.parse(
      await readFile(join(fixture('lora'), 'adapter_config.json'), 'utf8'),
    ) as Record<string, unknown>;
    const refused = async (change: Record<string, unknown>): Promise<unknown> => {
      await cp(fixture('lora'), directory, { recursive: true });
      await writeFile(
        join(directory, 'adapter_config.json'),
        JSON.stringify({ ...config, ...change }),
      );
      return readAdapter({ model, path: directory }).then(
        () => 'accepted',
        (error: unknown) => (error as { readonly code: string }).code,
      );
    };
    expect(await refused({})).toBe('accepted');
    expect(await refused({ peft_type: 'IA3' })).toBe('UNSUPPORTED');
    expect(await refused({ use_dora: true })).toBe('UNSUPPORTED');
    expect(await refused({ bias: 'all' })).toBe('UNSUPPORTED');
    expect(await refused({ modules_to_save: ['lm_head'] })).toBe('UNSUPPORTED');
    expect(await refused({ r: 'four' })).toBe('BAD_CONFIG');
    expect(await refused({ r: 5 })).toBe('BAD_WEIGHTS');
    expect(await refused({ target_modules: ['q_proj'] })).toBe('BAD_WEIGHTS');
    expect(await refused({ target_modules: ['query'] })).toBe('BAD_ARGUMENT');
    expect(await refused({ target_modules: '(?P<bad>x' })).toBe('UNSUPPORTED');
    await writeFile(join(directory, 'adapter_config.json'), '{');
    await expect(readAdapter({ model, path: directory })).rejects.toMatchObject({
      code: 'BAD_FILE',
    });
    await expect(readAdapter({ model, path: join(directory, 'absent') })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    using other = createRandomModel({ config: { like: 'llama' }, seed: 1 });
    await expect(
      loadAdapter({ model: other, path: fixture('lora'), name: 'x' }),
    ).rejects.toMatchObject({ code: 'BAD_WEIGHTS' });
    other.dispose();
    // The one accepted adapter above is the only thing still held: 7 modules of 4 layers, A and B.
    expect(tf.memory().numTensors).toBe(before + 2 * 7 * 4);
  });

  it('a merge refuses to be undone once its weights were changed', async () => {
    using model = await loadModel({ path: baseModel('transformer/fixtures/llama') });
    using adapter = await readAdapter({ model, path: fixture('lora') });
    const merged = mergeAdapter(model, adapter);
    const name = merged.weights[0] as (typeof merged.weights)[number];
    model.setWeight(name, tf.zerosLike(model.weights.get(name) as tf.Tensor));
    expect(() => {
      merged.unmerge();
    }).toThrow(/changed after the merge/);
    merged.dispose();
  });
});
