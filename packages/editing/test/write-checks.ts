// Writes fixtures/check-figures.json and CHECKS.md from the figures of a test run: see CHECKS.md for the two commands.
import { readFileSync, writeFileSync } from 'node:fs';
import { checksTable, worstFigures } from './checks-table.ts';
import type { Figure } from './figures.ts';

const path = process.env['SAFEINFER_FIGURES'];
if (!path) throw new Error('SAFEINFER_FIGURES names no file: run the tests with it first');
const lines = readFileSync(path, 'utf8').trim().split('\n');
const figures = worstFigures(lines.map((line) => JSON.parse(line) as Figure));
const at = (name: string): URL => new URL(`../${name}`, import.meta.url);
writeFileSync(at('fixtures/check-figures.json'), `${JSON.stringify(figures, null, 1)}\n`);
writeFileSync(at('CHECKS.md'), checksTable(figures));
console.log(`${figures.length} figures, ${new Set(figures.map(({ check }) => check)).size} checks`);
