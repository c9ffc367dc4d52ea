// Saved models load in Hugging Face with the original logits; runs where SAFEINFER_PARITY_VENV names the
// Python environment of tools/parity.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { saveModel } from '../src/model/save-model.ts';
import { onBackend } from './on-backend.ts';
import { fixtureModel, fixtureNames, readFixture } from './parity/fixture.ts';

onBackend('cpu');

const venv = process.env['SAFEINFER_PARITY_VENV'] ?? '';
const python = join(venv, 'bin', 'python');
const ready = venv !== '' && existsSync(python);
const script = fileURLToPath(new URL('./parity/load_exports.py', import.meta.url));

interface Loaded {
  readonly problems: readonly string[];
  readonly logits: readonly number[];
}

describe.runIf(ready)('saved models in Hugging Face (needs SAFEINFER_PARITY_VENV)', () => {
  it('every fixture: nothing missing or unexpected, same logits', {
    timeout: 600_000,
  }, async () => {
    const names = fixtureNames().filter((name) => !/llama-(bf16|f16|sharded)/.test(name));
    const fixtures = await Promise.all(names.map(readFixture));
    const root = await mkdtemp(join(tmpdir(), 'safeinfer-export-'));
    try {
      const cases: { readonly path: string; readonly ids: readonly number[] }[] = [];
      for (const [i, fixture] of fixtures.entries()) {
        using model = fixtureModel(fixture);
        const path = join(root, String(i));
        await saveModel(model, { path });
        cases.push({ path, ids: fixture.facts.prompts['long'] ?? [] });
      }
      const input = JSON.stringify(cases);
      const { stdout, stderr, status } = spawnSync(python, [script], {
        input,
        encoding: 'utf8',
        maxBuffer: 2 ** 27,
      });
      expect(status, stderr).toBe(0);
      const loaded = JSON.parse(stdout) as readonly Loaded[];
      for (const [i, { name, tensors }] of fixtures.entries()) {
        expect(loaded[i]?.problems, name).toEqual([]);
        const golden = tensors.get('logits/long')?.data ?? new Float32Array();
        const theirs = loaded[i]?.logits ?? [];
        expect(theirs.length, name).toBe(golden.length);
        const worst = theirs.reduce(
          (top, value, j) => Math.max(top, Math.abs(value - (golden[j] ?? Number.NaN))),
          0,
        );
        expect(worst, name).toBeLessThan(1e-6);
      }
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
