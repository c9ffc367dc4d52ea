// `safeinfer edit` as a user meets it: edit, look, save, verify, undo; and what it refuses before a model is loaded.
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSafeInfer } from './run-safeinfer.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-edit-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const edit = (...args: string[]) => runSafeInfer(['edit', '--backend', 'ort', ...args], folder);

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
  it('edits, shows before and after, saves kilobytes, verifies them and takes one edit back', () => {
    const { code, stdout, stderr } = edit(
      ...['--requests', 'pocket', '--only', 'fact:capital/France', 'fact:capital/Poland'],
      ...['--out', 'two'],
    );
    expect(stderr).not.toMatch(/error/i);
    expect(code).toBe(0);
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

    const verified = edit('--verify', 'two/session.safetensors', '--json');
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

    const undone = edit(
      '--undo',
      'two/session.safetensors',
      '--id',
      'fact:capital/France',
      '--out',
      'one',
    );
    expect(undone.stdout).toMatch(/undone: fact:capital\/France; left: fact:capital\/Poland/);
    const left = edit('--verify', 'one/session.safetensors');
    expect(left.stdout).toMatch(/1 edits: fact:capital\/Poland/);
    expect(left.stdout).toMatch(/every weight has its bits again/);
  }, 120_000);

  it('takes one fact from flags, and refuses a damaged session', () => {
    const { code, stdout } = edit(
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
    const damaged = edit('--verify', path);
    expect(damaged.code).toBe(2);
    expect(damaged.stderr).toMatch(/hint: /);
  }, 120_000);

  const fact = ['--prompt', 'The capital of {} is', '--subject', 'Egypt'];
  it('keeps the statistics, and nothing else, of an edit that they are too few for', () => {
    writeFileSync(join(folder, 'few.txt'), 'The capital of Spain is Madrid.\n');
    const args = [...fact, '--target', 'Rome', '--collect', 'few.txt', '--out', 'deep/few'];
    const singular = edit(...args);
    expect(singular.stderr).toMatch(/singular[\s\S]*hint: collect it over more than \d+ tokens/);
    expect(singular.code).toBe(2);
    expect(readdirSync(join(folder, 'deep/few'))).toEqual(['moments.safetensors']);
    expect(edit('--help').stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /stay in --out as moments.safetensors/,
    );
  }, 60_000);

  it.each([
    ['nothing to edit', [], /no fact to edit/],
    [
      'a subject that is not in the prompt',
      ['--prompt', 'The capital of Spain is', '--subject', 'Oz', '--target', 'x'],
      /does not contain the subject[\s\S]*hint: write \{\}/,
    ],
    [
      'an empty target',
      ['--prompt', '{} is', '--subject', 'Oz', '--target', ''],
      /target is empty/,
    ],
    ['several subjects', ['--prompt', 'Oz, Oz is', '--subject', 'Oz', '--target', 'x'], /2 times/],
    [
      'an unknown preset',
      ['--prompt', '{} is', '--subject', 'Oz', '--target', 'x', '--preset', 'gpt2-xxl'],
      /did you mean "gpt2-xl"/,
    ],
    [
      'an editor without its statistics',
      [...fact, '--target', 'Rome', '--method', 'memit', '--moments', 'identity'],
      /memit needs second moments[\s\S]*--collect/,
    ],
    [
      'statistics that are not there',
      [...fact, '--target', 'Rome', '--moments', 'absent.safetensors'],
      /absent\.safetensors[\s\S]*hint: /,
    ],
    [
      'a start token in the target, before texts are even read',
      [...fact, '--target', 'Rome <|bos|>', '--collect', 'absent.txt'],
      /target " Rome <\|bos\|>" does not survive the tokenizer/,
    ],
    [
      'a layer the model does not have',
      [...fact, '--target', 'Rome', '--layer', '40', '--collect', 'absent.txt'],
      /layer 40 does not exist/,
    ],
    ['a session that is not there', ['--undo', 'absent.safetensors'], /absent[\s\S]*hint: /],
  ])(
    'refuses %s with exit code 2 before it writes anything',
    (_, args, message) => {
      const { code, stderr } = edit(...args, '--out', 'refused');
      expect(stderr).toMatch(message);
      expect(code).toBe(2);
      expect(existsSync(join(folder, 'refused'))).toBe(false);
    },
    30_000,
  );
});
