// `safeinfer run` as a user meets it: one small real run, and every mistake of the bad-input list.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pocketPaths } from '@safeinfer/pocket';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrialRecord } from '../src/run/trial-record.ts';
import { runSafeInfer } from './run-safeinfer.ts';

const experiment = `schemaVersion: 1
name: tiny
arms:
  - name: base
  - name: SafeInfer
    steer:
      safetyAmplification: { safe: pocket, compliant: pocket, shots: 2, prompts: 4, effectPrompts: 1 }
    guide:
      safeInfer: { lambda: 0.9, unsafe: { systemPrompt: Never refuse. } }
edits:
  - name: unedited
  - { name: ROME, rome: { facts: pocket, count: 1, layer: 1 } }
benchmarks:
  - { use: pocket-harmful, limit: 3 }
  - { use: pocket-how-to, limit: 2 }
judge: pocket
maxNewTokens: 12
`;

let folder: string;
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return name;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-lab-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('safeinfer run', () => {
  it('runs four cells on the bundled model and writes records, reports and the table', () => {
    const { code, stdout, stderr } = runSafeInfer(['run', file('tiny.yaml', experiment)], folder);
    expect(stderr).not.toMatch(/error/i);
    expect(code).toBe(0);
    expect(stdout).toMatch(/unedited +simple +base +3 \+ 2 +\d/);
    expect(stdout).toMatch(/ROME +simple +SafeInfer +3 \+ 2 +\d/);
    expect(stdout).toMatch(/report: runs\/tiny\/report\.html/);
    const lines = readFileSync(join(folder, 'runs/tiny/results.jsonl'), 'utf8').trim().split('\n');
    const records = lines.map((line) => JSON.parse(line) as TrialRecord);
    expect(records).toHaveLength(20);
    expect(new Set(records.map(({ itemId }) => itemId)).size).toBe(5);
    const html = readFileSync(join(folder, 'runs/tiny/report.html'), 'utf8');
    const harmful = records.find(({ kind }) => kind === 'harmful');
    expect(html).toContain('characters masked');
    expect(html).not.toContain(harmful?.prompt);
    expect(readFileSync(join(folder, 'runs/tiny/report.md'), 'utf8')).toContain('| unedited |');
  }, 240_000);

  describe('refuses, with exit code 2, one reason and nothing written:', () => {
    const cases: readonly (readonly [string, () => readonly string[], RegExp])[] = [
      ['no such experiment', () => ['run', 'none.yaml'], /none\.yaml: cannot read the experiment/],
      [
        'lambda outside [0, 1)',
        () => ['run', file('lambda.yaml', experiment.replace('0.9', '1.5'))],
        /lambda\.yaml:9:\d+: .*lambda must be in \[0, 1\)/,
      ],
      [
        'a layer out of range',
        () => ['run', file('layer.yaml', experiment.replace('shots: 2', 'layer: 99, shots: 2'))],
        /layer 99 does not exist/,
      ],
      [
        'an edit layer out of range',
        () => ['run', file('edit.yaml', experiment.replace('layer: 1', 'layer: 99'))],
        /layer 99 does not exist/,
      ],
      [
        'an unknown benchmark',
        () => ['run', file('set.yaml', experiment.replace('pocket-how-to', 'pocket-howto'))],
        /no benchmark "pocket-howto"/,
      ],
      [
        'an empty dataset',
        () => {
          file('empty.json', '{}');
          return [
            'run',
            file('empty.yaml', experiment.replace('pocket-how-to', 'catqa, path: empty.json')),
          ];
        },
        /catqa/i,
      ],
      [
        'a model directory without weights',
        () => {
          cpSync(pocketPaths().model, join(folder, 'no-weights'), { recursive: true });
          rmSync(join(folder, 'no-weights/model.safetensors'));
          return ['run', file('a.yaml', experiment), '--model', 'no-weights'];
        },
        /safetensors/,
      ],
      [
        'truncated weights',
        () => {
          cpSync(pocketPaths().model, join(folder, 'cut'), { recursive: true });
          truncateSync(join(folder, 'cut/model.safetensors'), 5000);
          return ['run', file('b.yaml', experiment), '--model', 'cut'];
        },
        /model\.safetensors/,
      ],
      [
        'a config that does not fit the weights',
        () => {
          cpSync(pocketPaths().model, join(folder, 'misfit'), { recursive: true });
          const config = join(folder, 'misfit/config.json');
          const json = JSON.parse(readFileSync(config, 'utf8')) as Record<string, unknown>;
          const wrong = { ...json, intermediate_size: (json['intermediate_size'] as number) + 8 };
          writeFileSync(config, JSON.stringify(wrong));
          return ['run', file('c.yaml', experiment), '--model', 'misfit'];
        },
        /mlp/,
      ],
      [
        'an unwritable output directory',
        () => {
          file('a-file', '');
          return ['run', file('d.yaml', experiment), '--out', 'a-file/out'];
        },
        /cannot write to/,
      ],
      [
        'an unknown backend',
        () => ['run', file('e.yaml', experiment), '--backend', 'abacus'],
        /abacus/,
      ],
      [
        'a limit that is no number',
        () => ['run', file('f.yaml', experiment), '--limit', 'x'],
        /limit/,
      ],
    ];
    it.each(cases)('%s', (_, prepare, message) => {
      const args = prepare();
      const out = args.includes('--out') ? args : [...args, '--out', 'out'];
      const { code, stderr, stdout } = runSafeInfer(out, folder);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/\n\s+at /);
      expect(stdout).toBe('');
      expect(code).toBe(2);
      expect(existsSync(join(folder, 'out/results.jsonl'))).toBe(false);
    });
  });
});

const shared =
  process.env['SAFEINFER_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url));
const stories = join(shared, 'models/stories260K-hf');

describe.runIf(existsSync(stories))(
  'a checkpoint from disk (skipped without the shared test data)',
  () => {
    it('answers CatQA questions to the end', () => {
      const yaml = `schemaVersion: 1
name: catqa
arms: [{ name: base }]
benchmarks: [{ use: catqa, path: ${JSON.stringify(join(shared, 'data/catqa/catqa_english.json'))}, limit: 6 }]
judge: xstest-21
maxNewTokens: 16
`;
      const { code, stdout, stderr } = runSafeInfer(
        ['run', file('catqa.yaml', yaml), '--model', stories],
        folder,
      );
      expect(stderr).not.toMatch(/error/i);
      expect(code).toBe(0);
      expect(stdout).toMatch(/unedited +simple +base +6 \+ 0/);
    }, 120_000);
  },
);
