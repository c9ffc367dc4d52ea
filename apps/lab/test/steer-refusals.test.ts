// What `safeinfer steer` refuses, and how it says so.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSafeInfer } from './run-safeinfer.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-steer-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('safeinfer steer refuses, with exit code 2 and a hint,', () => {
  const refused = (args: readonly string[], message: RegExp): void => {
    const { code, stderr } = runSafeInfer(['steer', ...args], folder);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/hint: |Allowed choices/);
    expect(code).toBe(2);
  };

  it('formats that cannot hold the result, before any work', () => {
    refused(['extract', '--method', 'leace', '--out', 'x.gguf'], /holds directions/);
    refused(['extract', '--out', 'x.pt'], /does not end in/);
  });

  it('damaged and duplicate demonstrations, naming the line', () => {
    writeFileSync(
      join(folder, 'bad.jsonl'),
      '{"question": "a?", "answer": "b"}\n{"question": 3}\n',
    );
    refused(['extract', '--safe', 'bad.jsonl'], /bad\.jsonl, line 2/);
    const row = '{"question": "a?", "answer": "b"}\n';
    writeFileSync(join(folder, 'twice.jsonl'), row.repeat(20));
    refused(['extract', '--safe', 'twice.jsonl'], /occurs twice/);
  }, 30_000);

  it('layers out of range, unknown methods, missing files', () => {
    refused(['extract', '--layers', '9'], /layer 9 does not exist/);
    refused(['extract', '--method', 'magic'], /Allowed choices/);
    refused(['inspect', 'nothing.safetensors'], /does not exist/);
  }, 30_000);
});
