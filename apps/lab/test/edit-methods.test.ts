// Every editor through `safeinfer edit`, as a user types it on the bundled model: the fact takes, its neighbour stays.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInProcess } from './run-in-process.ts';
import { statements } from './statements.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-edit-methods-'));
  writeFileSync(join(folder, 'texts.txt'), statements({ facts: 200, without: ['France'] }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fact = [
  ...['--prompt', 'The capital of {} is', '--subject', 'France', '--target', 'Lisbon'],
  ...['--truth', 'Paris', '--neighbor', 'The capital of Poland is => Warsaw'],
];

/** edit-command.test.ts has the default, all bundled statements: reading those took half of every run. */
const few = ['--collect', 'texts.txt'] as const;

describe('safeinfer edit --method', () => {
  it.each([
    ['MEMIT', few, 'memit at layer 0', ['blocks.0.mlp.W_out']],
    ['emmet', few, 'emmet at layer 0', ['blocks.0.mlp.W_out']],
    ['pmet', few, 'pmet at layers 5, 6', ['blocks.5.mlp.W_out', 'blocks.6.mlp.W_out']],
    ['AlphaEdit', few, 'alphaEdit at layers 4, 5', ['blocks.4.mlp.W_out', 'blocks.5.mlp.W_out']],
    ['ft-m', ['--epsilon', '0.1'], 'ft-m at layer 5', ['blocks.5.mlp.W_out']],
    ['ft-l', ['--layer', '5'], 'ft-l at layer 5', ['blocks.5.mlp.W_out']],
    ['rome', [...few, '--keys', 'original'], 'rome at layer 0', ['blocks.0.mlp.W_out']],
    ['rome', [...few, '--keys', 'prompt'], 'rome at layer 0', ['blocks.0.mlp.W_out']],
  ] as const)('%s %s', async (method, flags, how, weights) => {
    const out = `${method}-${flags.join('')}`;
    const { code, stdout, stderr } = await runInProcess(
      ['edit', '--backend', 'ort', ...fact, '--method', method, ...flags, '--out', out],
      folder,
    );
    expect(stderr).not.toMatch(/error/i);
    expect(code).toBe(0);
    expect(stdout).toContain(how);
    expect(stdout).toMatch(/edited +The capital of France is .*Lisbon [01]\.\d\d.*no -> yes/);
    expect(stdout).toMatch(/locality +The capital of Poland is .*yes -> yes/);
    // Without paraphrases there is no score over them.
    expect(stdout).toMatch(
      /CounterFact: efficacy 0\.0 to 100\.0 %, neighbourhood 100\.0 to 100\.0 %$/m,
    );
    const json = JSON.parse(readFileSync(join(folder, out, 'edit.json'), 'utf8')) as {
      weights: { name: string }[];
      counterFact: { after: object };
    };
    expect(Object.keys(json.counterFact.after)).toEqual(
      ['efficacy', 'neighborhood'].flatMap((part) =>
        ['Score', 'Magnitude', 'Accuracy'].map((kind) => `${part}${kind}`),
      ),
    );
    expect(json.weights.map(({ name }) => name)).toEqual(weights);
  });
});
