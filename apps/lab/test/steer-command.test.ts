// `safeinfer steer` as a user meets it, on the bundled model.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSafeInfer } from './run-safeinfer.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-steer-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SMALL = ['--shots', '2', '--prompts', '4', '--effect-prompts', '3', '--top-heads', '4'];
const json = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, unknown>;

describe('safeinfer steer', () => {
  it('extracts safety amplification into every format, and inspects what it wrote', () => {
    const made = runSafeInfer(
      [
        ...['steer', 'extract', ...SMALL, '--layers', '3'],
        ...['--out', 'sa/v.safetensors', 'sa/v.gguf', 'sa/v.npz'],
      ],
      folder,
    );
    expect(made.stderr).not.toMatch(/error/i);
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/times fewer than one forward pass a head/);
    const heads = json('sa/heads.json');
    expect(heads).toMatchObject({
      schema: 1,
      what: 'aie',
      layers: 8,
      heads: 8,
      prompts: 3,
      model: { name: 'pocket' },
    });
    const aie = heads['aie'] as number[][];
    const largest = Math.max(...aie.flat());
    expect((heads['top'] as { aie: number }[])[0]!.aie).toBe(largest);
    expect(existsSync(join(folder, 'sa/v.safetensors.aie-checkpoint.json'))).toBe(false);

    // The GGUF file is the same vector: another program's format, the same numbers.
    const look = runSafeInfer(
      [
        'steer',
        'inspect',
        'sa/v.safetensors',
        '--with',
        'sa/v.gguf',
        '--model',
        'pocket',
        '--json',
      ],
      folder,
    );
    expect(look.code).toBe(0);
    const facts = JSON.parse(look.stdout) as {
      kind: string;
      fits: { verdict: string };
      lines: { layer: number; width: number; cosineWithOther: number }[];
    };
    expect(facts.kind).toBe('plan');
    expect(facts.fits.verdict).toMatch(/^yes/);
    expect(facts.lines).toHaveLength(1);
    expect(facts.lines[0]).toMatchObject({ layer: 3, width: 128 });
    expect(facts.lines[0]!.cosineWithOther).toBeCloseTo(1, 6);
  }, 120_000);

  it.each(['mean-difference', 'leace'])(
    'extracts by %s from prompts in a file',
    (method) => {
      const questions = (words: readonly string[]) =>
        words.map((word) => JSON.stringify({ question: `Tell me about ${word}.` })).join('\n');
      writeFileSync(
        join(folder, 'plus.jsonl'),
        questions(['rain', 'snow', 'wind', 'hail', 'fog', 'sun']),
      );
      writeFileSync(
        join(folder, 'minus.jsonl'),
        questions(['bread', 'cheese', 'soup', 'rice', 'salt', 'tea']),
      );
      const { code, stderr } = runSafeInfer(
        [
          ...['steer', 'extract', '--method', method, '--layers', '2'],
          ...['--positive', 'plus.jsonl', '--negative', 'minus.jsonl'],
          ...['--out', `${method}.safetensors`],
        ],
        folder,
      );
      expect(stderr).not.toMatch(/error/i);
      expect(code).toBe(0);
      const look = runSafeInfer(['steer', 'inspect', `${method}.safetensors`], folder);
      expect(look.stdout).toContain(`made by ${method} v1`);
    },
    60_000,
  );

  it('sweeps on the selection split and reports on the test split', () => {
    const swept = runSafeInfer(
      [
        ...['steer', 'sweep', '--shots', '2', '--prompts', '6', '--effect-prompts', '2'],
        ...['--layers', '2', '3', '--strengths', '0.05', '0.4', '--top-heads', '10'],
        ...['--limit', '8', '--max-new-tokens', '4', '--out', 'sweep'],
      ],
      folder,
    );
    expect(swept.stderr).not.toMatch(/error/i);
    expect(swept.code).toBe(0);
    const { lines, best, split } = json('sweep/sweep.json') as {
      lines: { score: number; strength: number }[];
      best: { score: number };
      split: string;
    };
    expect(split).toBe('select');
    expect(lines).toHaveLength(4);
    expect(best.score).toBe(Math.max(...lines.map(({ score }) => score)));
    expect(readFileSync(join(folder, 'sweep/sweep.svg'), 'utf8')).toMatch(/<polyline/);

    const control = runSafeInfer(
      ['steer', 'extract', ...SMALL, '--shuffle-labels', '--out', 'sweep/shuffled.safetensors'],
      folder,
    );
    expect(control.code).toBe(0);
    const { code, stdout, stderr } = runSafeInfer(
      [
        ...['steer', 'report', 'sweep/best.safetensors', '--limit', '6', '--random', '2'],
        ...['--shuffled', 'sweep/shuffled.safetensors'],
        ...['--max-new-tokens', '4', '--out', 'report'],
      ],
      folder,
    );
    expect(stderr).not.toMatch(/error/i);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\| random 2 \|/);
    expect(stdout).toMatch(/chosen from 4 settings on other items/);
    const report = json('report/report.json') as {
      arms: { name: string; harmfulVerdicts: string }[];
      provenance: { command: string; items: Record<string, number> };
    };
    expect(report.arms.map(({ name }) => name)).toEqual([
      'plain',
      'steered',
      'strength 0',
      'random 1',
      'random 2',
      'flipped',
      'shuffled labels',
      'safety prompt',
    ]);
    expect(report.arms[2]!.harmfulVerdicts).toBe(report.arms[0]!.harmfulVerdicts);
    expect(report.provenance.items).toMatchObject({ harmful: 6, benign: 6 });
    expect(report.provenance.command).toMatch(/^safeinfer steer report sweep\/best.safetensors/);
    expect(readFileSync(join(folder, 'report/dose.svg'), 'utf8')).toMatch(/^<svg/);
  }, 180_000);
});
