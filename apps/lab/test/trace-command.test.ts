// `safeinfer trace` as a user meets it: JSON that the viewer reads, pictures, averages.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSafeInfer } from './run-safeinfer.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-trace-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface TraceJson {
  readonly tokens: readonly string[];
  readonly subject: readonly [number, number];
  readonly answer: string;
  readonly clean: number;
  readonly corrupted: number;
  readonly maps: Readonly<Record<'state' | 'mlp' | 'attention', readonly (readonly number[])[]>>;
}

describe('safeinfer trace', () => {
  it('traces facts of a file: tables per prompt, averages with intervals, the four plots', () => {
    writeFileSync(
      join(folder, 'facts.json'),
      JSON.stringify([
        { known_id: 1, prompt: 'The capital of France is', subject: 'France', attribute: 'Paris' },
        { known_id: 2, prompt: 'The capital of Poland is', subject: 'Poland', attribute: 'Warsaw' },
        { known_id: 3, prompt: 'The capital of Egypt is', subject: 'Egypt', attribute: 'Oslo' },
      ]),
    );
    const { code, stdout, stderr } = runSafeInfer(
      ['trace', '--facts', 'facts.json', '--samples', '3', '--out', 'out', '--backend', 'ort'],
      folder,
    );
    expect(stderr).not.toMatch(/error/i);
    expect(code).toBe(0);
    // A fact that the model answers otherwise is not evidence of where it is stored.
    expect(stdout).toMatch(/3: the model answers something else; left out/);
    expect(stdout).toMatch(/over 2 prompts/);
    expect(stdout).toMatch(/Last subject token +[\d.]+ ±[\d.]+/);
    const files = readdirSync(join(folder, 'out'), { recursive: true }).map(String).sort();
    expect(files).toEqual([
      ...['average-attn.svg', 'average-effects.json', 'average-mlp.svg', 'average-state.svg'],
      ...['lines-attn.svg', 'lines-mlp.svg', 'lines-state.svg', 'severed.svg', 'traces'],
      ...['1', '2'].flatMap((id) =>
        ['-attn.svg', '-mlp.svg', '-state.svg', '.json'].map((end) => join('traces', id + end)),
      ),
    ]);
    const json = JSON.parse(readFileSync(join(folder, 'out/traces/1.json'), 'utf8')) as TraceJson;
    expect(json).toMatchObject({ schema: 1, what: 'causal-trace', answer: ' Paris', window: 2 });
    expect(json.tokens[json.subject[0]]).toBe(' France');
    const { state } = json.maps;
    expect(state).toHaveLength(json.tokens.length);
    // The last state restored is the clean run; before the subject nothing was corrupted.
    expect(state.at(-1)!.at(-1)).toBeCloseTo(json.clean, 5);
    expect(state[1]![0]).toBeCloseTo(json.corrupted, 5);
    expect(json.clean - json.corrupted).toBeGreaterThan(0.2);
    for (const file of files.filter((name) => name.endsWith('.svg'))) {
      const svg = readFileSync(join(folder, 'out', file), 'utf8');
      expect(svg).toMatch(/^<svg [\s\S]*<\/svg>\s*$/);
      expect(svg).not.toMatch(/NaN|undefined/);
    }
    const average = JSON.parse(readFileSync(join(folder, 'out/average-effects.json'), 'utf8')) as {
      effects: Record<string, { halfWidths: number[][] }>;
    };
    expect(Object.keys(average.effects)).toEqual([
      'state',
      'mlp',
      'attn',
      'mlpSevered',
      'attnSevered',
    ]);
  }, 120_000);

  it.each([
    ['nothing', [], /nothing to trace/],
    [
      'a subject that is not in the prompt',
      ['--prompt', 'The capital of France is', '--subject', 'Spain'],
      /is not in the prompt/,
    ],
  ])(
    'refuses %s with exit code 2',
    (_, args, message) => {
      const { code, stderr } = runSafeInfer(['trace', ...args, '--out', 'refused'], folder);
      expect(stderr).toMatch(message);
      expect(code).toBe(2);
      expect(existsSync(join(folder, 'refused/traces'))).toBe(false);
    },
    30_000,
  );
});
