// PARITY.md is written by a script; this keeps it from falling behind the fixtures and the bound.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fixtureNames } from './fixture.ts';
import { tolerance } from './tolerance.ts';

const text = readFileSync(new URL('../../PARITY.md', import.meta.url), 'utf8');

describe('PARITY.md', () => {
  const sections = text.split(/^## /m).slice(1);

  it('has a table a backend, cpu and wasm among them', () => {
    const names = sections.map((section) => section.split('\n')[0]);
    expect(names).toEqual(expect.arrayContaining(['cpu', 'wasm']));
  });

  it('has every fixture in every table, within the bound', () => {
    for (const section of sections) {
      const rows = section
        .split('\n')
        .filter((line) => line.startsWith('| '))
        .slice(1);
      const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
      expect(cells.map((row) => row[1])).toEqual(fixtureNames());
      for (const value of cells.flatMap((row) => row.slice(2)).filter((cell) => cell !== '')) {
        expect(Number(value)).toBeLessThan(tolerance);
      }
    }
  });
});
