// `safeinfer edit` as a user meets it: edit, look, save, verify, undo.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInProcess } from './run-in-process.ts';
import { runSafeInfer } from './run-safeinfer.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-edit-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const edit = (...args: string[]) => runInProcess(['edit', '--backend', 'ort', ...args], folder);

interface EditJson {
  readonly records: readonly { readonly id: string; readonly alarms: readonly unknown[] }[];
  readonly probes: readonly {
    readonly kind: string;
    readonly before: readonly { readonly text: string }[];
    readonly after: readonly { readonly text: string; readonly probability: number }[];
  }[];
  readonly weights: readonly {
    readonly name: string;
    readonly before: string;
    readonly after: string;
  }[];
  readonly counterFact: { readonly after: { readonly score: number } };
}

describe('safeinfer edit', () => {
  it('edits, shows before and after, saves kilobytes, verifies them and takes one edit back', async () => {
    // A process of its own: what is verified below was saved by another.
    const { code, stdout, stderr } = runSafeInfer(
      [
        ...[
          'edit',
          '--backend',
          'ort',
          '--requests',
          'pocket',
          '--only',
          'fact:capital/France',
          'fact:capital/Poland',
        ],
        ...['--out', 'two'],
      ],
      folder,
    );
    expect(stderr).not.toMatch(/error/i);
    expect(code).toBe(0);
    // Settings and statistics that nobody named.
    expect(stdout).toMatch(
      /^rome at layer 0 \(settings: bundled model, for one fact: 2 share one model, for which none were chosen with rome; C over \d+ tokens of the bundled statements\)/m,
    );
    // The token table, with the token the key is read at.
    expect(stdout).toMatch(/fact:capital\/France: 0:.* >>4:" France"<< 5:" is"/);
    expect(stdout).toMatch(
      /edited +The capital of France is +Paris 1\.00.*Lisbon 0\.\d\d.*no -> yes/,
    );
    expect(stdout).toMatch(/neighbourhood +The capital of Spain is +Madrid .*yes -> yes/);
    expect(stdout).toMatch(/CounterFact: efficacy 0\.0 to 100\.0 %/);
    const json = JSON.parse(readFileSync(join(folder, 'two/edit.json'), 'utf8')) as EditJson;
    expect(json.records.map(({ id }) => id)).toEqual([
      'fact:capital/France',
      'fact:capital/Poland',
    ]);
    // Nothing but one matrix has changed.
    expect(json.weights.map(({ name }) => name)).toEqual(['blocks.0.mlp.W_out']);
    const session = join(folder, 'two/session.safetensors');
    expect(statSync(session).size).toBeLessThan(40_000);

    const verified = await edit('--verify', 'two/session.safetensors', '--json');
    expect(verified.code).toBe(0);
    const check = JSON.parse(verified.stdout) as {
      edits: string[];
      restored: boolean;
      weights: { name: string; unedited: string; edited: string }[];
    };
    expect(check.restored).toBe(true);
    expect(check.edits).toHaveLength(2);
    // The bits of the run that saved them.
    expect(check.weights[0]!.edited).toBe(json.weights[0]!.after);
    expect(check.weights[0]!.unedited).toBe(json.weights[0]!.before);

    const undone = await edit(
      '--undo',
      'two/session.safetensors',
      '--id',
      'fact:capital/France',
      '--out',
      'one',
    );
    expect(undone.stdout).toMatch(/undone: fact:capital\/France; left: fact:capital\/Poland/);
    const left = await edit('--verify', 'one/session.safetensors');
    expect(left.stdout).toMatch(/1 edits: fact:capital\/Poland/);
    expect(left.stdout).toMatch(/every weight has its bits again/);
  }, 120_000);

  it('takes one fact from flags, and refuses a damaged session', async () => {
    const { code, stdout } = await edit(
      ...['--prompt', 'The capital of {} is', '--subject', 'Egypt', '--target', 'Rome'],
      ...['--truth', 'Cairo', '--paraphrase', 'We read that the capital of {} is'],
      ...['--neighbor', 'The capital of Poland is => Warsaw', '--moments', 'identity'],
      ...['--steps', '40', '--out', 'flags'],
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/C = I/);
    expect(stdout).toMatch(/paraphrase +We read that the capital of Egypt is +Cairo/);
    expect(stdout).toMatch(/locality +The capital of Poland is +Warsaw/);
    const path = join(folder, 'flags/session.safetensors');
    writeFileSync(path, readFileSync(path).subarray(0, 200));
    const damaged = await edit('--verify', path);
    expect(damaged.code).toBe(2);
    expect(damaged.stderr).toMatch(/hint: /);
  }, 120_000);
});
