// `record: tokens`: every token of every answer with what each term did to it; and what a run directory holds.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrialRecord } from '../src/run/trial-record.ts';
import { runSafeInfer } from './run-safeinfer.ts';

const experiment = `schemaVersion: 1
name: tokens
record: tokens
arms:
  - name: base
  - name: SafeInfer
    steer:
      safetyAmplification: { safe: pocket, compliant: pocket, shots: 1, prompts: 4, effectPrompts: 2 }
    guide:
      safeInfer: { lambda: 0.9, unsafe: { adapter: unsafe } }
benchmarks:
  - { use: pocket-harmful, limit: 3 }
judge: pocket
maxNewTokens: 10
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-tokens-'));
  writeFileSync(join(folder, 'tokens.yaml'), experiment);
  writeFileSync(join(folder, 'text.yaml'), experiment.replace('record: tokens\n', ''));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const records = (name: string): TrialRecord[] =>
  read(name)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as TrialRecord);

describe('a run that records tokens', () => {
  it('keeps them in the store, explains every score, and does not change an answer', () => {
    const store = ['--store', 'store.sqlite'];
    // Text first: its answers must not serve a run that wants tokens.
    const text = runSafeInfer(['run', 'text.yaml', '--out', 'text', ...store], folder);
    expect(text.stderr).not.toMatch(/error/i);
    expect(text.code).toBe(0);
    const first = runSafeInfer(['run', 'tokens.yaml', '--out', 'first', ...store], folder);
    expect(first.stderr).not.toMatch(/error/i);
    const again = runSafeInfer(
      ['run', 'tokens.yaml', '--out', 'again', ...store, '--json'],
      folder,
    );
    expect(again.code).toBe(0);
    expect(read('again/results.jsonl')).toBe(read('first/results.jsonl'));
    const events = again.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string });
    expect(events.at(-1)).toMatchObject({ event: 'done', failed: 0 });

    const plain = records('text/results.jsonl');
    const traced = records('first/results.jsonl');
    expect(plain.some(({ tokens }) => tokens !== undefined)).toBe(false);
    expect(traced.map(({ output }) => output)).toEqual(plain.map(({ output }) => output));
    for (const { arm, output, tokens = [], tokensOut } of traced) {
      expect(tokens).toHaveLength(tokensOut);
      expect(
        tokens
          .map((token) => token.text)
          .join('')
          .trim(),
      ).toBe(output);
      for (const { terms, logprob, alternatives } of tokens) {
        expect(alternatives.length).toBeGreaterThan(0);
        expect(alternatives.length).toBeLessThanOrEqual(4);
        expect(Object.keys(terms)).toEqual(
          arm === 'base' ? ['model'] : ['model', 'steering', 'unsafe'],
        );
        // One term is its own log-probability; with several, only the normaliser is missing.
        if (arm === 'base') expect(terms['model']).toBeCloseTo(logprob ?? Number.NaN, 3);
        else expect(terms['unsafe']).toBeLessThanOrEqual(0);
      }
    }
    // Steering did something, to some tokens more than to others.
    const steering = traced.flatMap(({ tokens = [] }) =>
      tokens.map(({ terms }) => terms['steering'] ?? 0),
    );
    expect(Math.max(...steering.map(Math.abs))).toBeGreaterThan(0.01);
  }, 240_000);

  it('leaves the head map, the resolved experiment and the last progress in its directory', () => {
    const heads = JSON.parse(read('first/heads/SafeInfer.json')) as {
      readonly aie: number[][];
      readonly layers: number;
      readonly heads: number;
      readonly top: { readonly layer: number; readonly head: number; readonly aie: number }[];
      readonly model: { readonly sha256: string };
    };
    expect(heads.aie).toHaveLength(heads.layers);
    expect(heads.aie.every((row) => row.length === heads.heads)).toBe(true);
    expect(heads.top).toHaveLength(10);
    expect(heads.top[0]!.aie).toBe(Math.max(...heads.aie.flat()));
    const saved = JSON.parse(read('first/experiment.json')) as {
      readonly experiment: { readonly record: string };
      readonly provenance: Record<string, unknown>;
    };
    expect(saved.experiment.record).toBe('tokens');
    expect(saved.provenance).toMatchObject({
      model: { name: 'pocket', sha256: heads.model.sha256 },
      command: 'safeinfer run tokens.yaml',
      node: process.versions.node,
    });
    expect(JSON.parse(read('first/progress.json'))).toMatchObject({
      phase: 'done',
      total: 6,
      done: 6,
    });
  });
});
