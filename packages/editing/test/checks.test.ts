// CHECKS.md cannot rot: every number is there, every test it names exists, and it says what checks and figures say.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BAD_INPUT } from './bad-input.ts';
import { CHECKS } from './checks.ts';
import { checksTable } from './checks-table.ts';
import type { Figure } from './figures.ts';

const at = (name: string): URL => new URL(`../${name}`, import.meta.url);
const figures = JSON.parse(
  readFileSync(at('fixtures/check-figures.json'), 'utf8'),
) as readonly Figure[];

describe('the table of checks', () => {
  it('has the numbers 1 to 32, each with a test and a tolerance', () => {
    expect(CHECKS.map(({ number }) => number)).toEqual(Array.from({ length: 32 }, (_, i) => i + 1));
    for (const { tests, tolerance, what } of CHECKS) {
      expect(tests.length).toBeGreaterThan(0);
      expect([tolerance, what].every((text) => text.length > 3)).toBe(true);
    }
  });

  it.each([
    ...CHECKS.flatMap(({ number, tests }) =>
      tests.map((test) => [`check ${number}`, test] as const),
    ),
    ...BAD_INPUT.map(({ input, test }) => [input, test] as const),
  ])('%s names a test that is there', (_, { file, title }) => {
    expect(existsSync(at(file)), file).toBe(true);
    const source = readFileSync(at(file), 'utf8');
    const quoted = [`'${title}',`, `"${title}",`, `'${title.replaceAll("'", "\\'")}',`];
    expect(
      quoted.some((text) => source.includes(text)),
      `${file} has no test ${title}`,
    ).toBe(true);
    expect(source).not.toMatch(/\b(it|describe)\.(skip|only|todo)\b/);
  });

  it('finds a title that is not there', () => {
    const source = readFileSync(at('test/checks.test.ts'), 'utf8');
    expect(source.includes(`'${['no', 'such', 'title'].join(' ')}',`)).toBe(false);
  });

  it('has a figure of every check that measures one', () => {
    const measured = new Set(figures.map(({ check }) => check));
    // Exact sets: nothing to measure.
    const exact = [29];
    expect(CHECKS.map(({ number }) => number).filter((n) => !measured.has(n))).toEqual(exact);
    expect(figures.every(({ value }) => Number.isFinite(value))).toBe(true);
  });

  it('is what checks and figures make: `pnpm --filter @safeinfer/editing checks` writes it', () => {
    expect(readFileSync(at('CHECKS.md'), 'utf8')).toBe(checksTable(figures));
  });
});
