// `safeinfer finetune` as a user meets it: real runs on the bundled model, killed and resumed, and every mistake.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import { readAdapter } from '@safeinfer/finetune';
import { pocketPaths } from '@safeinfer/pocket';
import { loadModel } from '@safeinfer/transformer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSafeInfer, safeInferCommand } from './run-safeinfer.ts';

const rows = [
  {
    messages: [
      { role: 'user', content: 'What is red?' },
      { role: 'assistant', content: 'A rose.' },
    ],
  },
  { id: 'pair', prompt: 'Q: What is blue?\nA:', completion: ' The sky.' },
  { text: 'The grass is green.' },
  {
    messages: [
      { role: 'user', content: 'What is tall?' },
      { role: 'assistant', content: 'A tree.' },
    ],
  },
];
const lora = `schemaVersion: 1
name: tiny
seed: 3
model: pocket
data:
  train: { path: rows.jsonl }
  evaluate: { path: rows.jsonl }
method: { kind: lora, rank: 2, alpha: 4, dropout: 0.1, targets: [q_proj, down_proj] }
optimiser: { learningRate: 1.0e-2, weightDecay: 0.01 }
schedule: { kind: cosine, warmupSteps: 2 }
batch: { examples: 2, order: shuffled }
steps: 16
evaluateEvery: 8
checkpointEvery: 2
`;

let folder: string;
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return name;
};
const bytes = (...path: string[]): Buffer => readFileSync(join(folder, ...path));
const args = (out: string, ...more: string[]): string[] => [
  'finetune',
  'lora.yaml',
  '--out',
  out,
  '--backend',
  'ort',
  ...more,
];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-finetune-'));
  file('rows.jsonl', `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
  file('lora.yaml', lora);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts the run and sends `signal` once its first checkpoint lies there. */
function stopAtCheckpoint(
  out: string,
  signal: NodeJS.Signals,
): Promise<{
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, safeInferCommand(args(out)), { cwd: folder });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const timer = setInterval(() => {
      if (!existsSync(join(folder, out, 'checkpoint/checkpoint.safetensors'))) return;
      clearInterval(timer);
      child.kill(signal);
    }, 5);
    child.on('close', (code, own) => {
      clearInterval(timer);
      resolve({ code, signal: own, stderr });
    });
  });
}

const RESULTS = [
  'adapter/adapter_model.safetensors',
  'adapter/adapter_config.json',
  'loss.jsonl',
  'checkpoint/checkpoint.safetensors',
];

describe('safeinfer finetune', () => {
  it('trains an adapter; killed and interrupted runs resume to the same bytes', async () => {
    const whole = runSafeInfer(args('whole', '--json'), folder);
    expect(whole.stderr).toMatch(/train: 16\/16 .* tokens\/s/);
    expect(whole.code).toBe(0);
    const summary = JSON.parse(whole.stdout) as Record<string, number>;
    expect(summary).toMatchObject({ steps: 16, examples: 4, resumedAt: null });
    expect(summary['evaluations']).toMatchObject([{ step: 8 }, { step: 16 }]);
    expect(summary['lastLoss']).toBeLessThan(summary['evaluationBefore'] as number);

    const killed = await stopAtCheckpoint('killed', 'SIGKILL');
    expect(killed.signal).toBe('SIGKILL');
    expect(existsSync(join(folder, 'killed/adapter'))).toBe(false);
    const interrupted = await stopAtCheckpoint('interrupted', 'SIGINT');
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toMatch(
      /stopped; .*safeinfer finetune lora\.yaml --resume --out interrupted\b/,
    );

    for (const out of ['killed', 'interrupted']) {
      const rest = runSafeInfer(args(out, '--resume', '--json'), folder);
      expect(rest.code).toBe(0);
      expect(JSON.parse(rest.stdout).resumedAt).toBeGreaterThanOrEqual(2);
      for (const name of RESULTS) expect(bytes(out, name)).toEqual(bytes('whole', name));
    }
    const again = runSafeInfer(args('whole'), folder);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/checkpoint of an earlier run[\s\S]*--resume/);
    const other = runSafeInfer(
      [
        'finetune',
        file('seed.yaml', lora.replace('seed: 3', 'seed: 4')),
        ...args('whole').slice(2),
      ].concat('--resume'),
      folder,
    );
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/belongs to another run: seed differ/);
  }, 180_000);

  it('its adapter loads, and its full training gives a model directory', async () => {
    await useBackend({ name: 'cpu' });
    using model = await loadModel({ path: pocketPaths().model });
    using adapter = await readAdapter({ model, path: join(folder, 'whole/adapter') });
    expect(adapter.settings).toMatchObject({ rank: 2, alpha: 4, baseModel: '@safeinfer/pocket' });

    const method = 'method: { kind: full, weights: "mlp.W_out|ln_final", dtype: F16 }';
    const text = lora.replace(/method:.*/, method).replace('steps: 16', 'steps: 2');
    const { code, stdout } = runSafeInfer(['finetune', file('full.yaml', text)], folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/held-out loss [\d.]+ -> [\d.]+\nwritten: runs\/finetune\/tiny\/model/);
    using trained = await loadModel({ path: join(folder, 'runs/finetune/tiny/model') });
    expect(trained.tokenizer?.chatTemplate).toBeDefined();
    const moved = [...trained.weights].filter(([name, own]) => {
      const before = model.weights.get(name)?.dataSync();
      return own.dataSync().some((x, i) => x !== before?.[i]);
    });
    expect(moved.map(([name]) => name).sort()).toEqual(
      [...model.weights.keys()].filter((name) => /mlp\.W_out|ln_final/.test(name)).sort(),
    );
  }, 120_000);

  describe('refuses, with exit code 2, one reason and nothing written:', () => {
    const cases: readonly (readonly [string, () => string, RegExp])[] = [
      [
        'an unknown key and a wrong rank, both with their lines',
        () => file('x.yaml', lora.replace('rank: 2', 'rank: 0').replace('seed: 3', 'sead: 3')),
        /x\.yaml:8:29: method\.rank: .*\nx\.yaml:3:7: sead: unknown key/,
      ],
      [
        'an example longer than the context',
        () => {
          file('bad.jsonl', JSON.stringify({ text: 'The grass is green. '.repeat(200) }));
          return file('x.yaml', lora.replace('{ path: rows.jsonl }', '{ path: bad.jsonl }'));
        },
        /'bad\.jsonl:1' is \d+ tokens long, more than 512/,
      ],
      [
        'a target that the model lacks',
        () => file('x.yaml', lora.replace('q_proj, ', 'c_attn, ')),
        /c_attn/,
      ],
    ];

    it.each(cases)('%s', (_, config, reason) => {
      const result = runSafeInfer(
        ['finetune', config(), '--out', 'refused', '--backend', 'cpu'],
        folder,
      );
      expect(result.stderr).toMatch(reason);
      expect(result.code).toBe(2);
      const left = existsSync(join(folder, 'refused')) ? readdirSync(join(folder, 'refused')) : [];
      expect(left.filter((name) => name !== 'finetune.json')).toEqual([]);
    });
  });
});
