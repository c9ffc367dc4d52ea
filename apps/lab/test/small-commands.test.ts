// The commands that run no model.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runSafeInfer } from './run-safeinfer.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

describe('safeinfer validate', () => {
  it('counts the answers of the demo', () => {
    const { code, stdout } = runSafeInfer(['validate', 'experiments/demo.yaml'], root);
    expect(code).toBe(0);
    expect(stdout).toBe('demo: 2 edits x 4 arms x 160 questions in 2 styles = 1280 answers\n');
  });

  it('fails with exit code 2 on a file that is no experiment', () => {
    expect(runSafeInfer(['validate', 'biome.json'], root).code).toBe(2);
  });
});

describe('safeinfer doctor', () => {
  it('knows that wasm works here, and says what is missing for others', () => {
    const { code, stdout } = runSafeInfer(['doctor', '--json'], root);
    expect(code).toBe(0);
    const { backends } = JSON.parse(stdout) as {
      backends: { name: string; available: boolean; remedy: string }[];
    };
    expect(backends.find(({ name }) => name === 'wasm')?.available).toBe(true);
    for (const { available, remedy } of backends) expect(available || remedy !== '').toBe(true);
  });
});
