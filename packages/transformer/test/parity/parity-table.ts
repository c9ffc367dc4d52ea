// Writes PARITY.md: the largest difference from Hugging Face of every fixture, backend and setting.
import { writeFileSync } from 'node:fs';
import { useBackend } from '@safeinfer/backend';
import { availableBackends } from '@safeinfer/backend/testing';
import { measureDifferences, type Setting, settings } from './differences.ts';
import { fixtureModel, fixtureNames, readFixture } from './fixture.ts';
import { tolerance } from './tolerance.ts';

const columns = Object.keys(settings) as Setting[];
const backends = await availableBackends();
const fixtures = await Promise.all(fixtureNames().map(readFixture));

const lines: string[] = [];
let largest = 0;
let cells = 0;
for (const backend of backends) {
  await useBackend({ name: backend });
  lines.push('', `## ${backend}`, '');
  lines.push(`| fixture | ${columns.join(' | ')} |`, `|---|${columns.map(() => '---:|').join('')}`);
  for (const fixture of fixtures) {
    using model = fixtureModel(fixture);
    const found = await measureDifferences(model, fixture);
    const values = columns.map((setting) => found[setting]);
    for (const value of values) {
      if (value === undefined) continue;
      largest = Math.max(largest, value);
      cells += 1;
    }
    const shown = values.map((value) => (value === undefined ? '' : value.toExponential(1)));
    lines.push(`| ${fixture.name} | ${shown.join(' | ')} |`);
  }
}

const controls = fixtures.flatMap(({ name, facts }) =>
  Object.entries(facts.negative_controls ?? {}).map(([bug, effect]) => ({ name, bug, effect })),
);
const weakest = [...controls].sort((a, b) => a.effect - b.effect).slice(0, 8);

const text = [
  '# Parity with Hugging Face transformers',
  '',
  'Largest absolute difference between this package and transformers 5.18.0 (torch 2.13.0, float32, eager',
  `attention) on the fixtures of \`fixtures/\`; the bound that tests enforce is ${tolerance.toExponential(0)}.`,
  'Written by `pnpm --filter @safeinfer/transformer parity`; do not edit by hand.',
  '',
  `${cells} cells on ${backends.length} backends (${backends.join(', ')}); the largest is ${largest.toExponential(1)}.`,
  '',
  'The weights are random but fan-in-scaled, so that a wrong activation, mask, scale or layout is seen: each of',
  `${controls.length} known porting bugs, put into this package on purpose, moves the logits as far as it moves`,
  "the library's (`test/parity/negative-controls.test.ts`). The smallest:",
  '',
  '| fixture | bug | largest change of a logit |',
  '|---|---|---:|',
  ...weakest.map(({ name, bug, effect }) => `| ${name} | ${bug} | ${effect.toExponential(1)} |`),
  '',
  'Settings:',
  '',
  ...columns.map((setting) => `- **${setting}**: ${settings[setting]}.`),
  '',
  'Greedy text of 16 tokens after each prompt is equal on every fixture and backend. An empty cell has no',
  'golden values (a variant that shares weights, or frequencies that depend on the longest row of a batch).',
  'Prompts of 600 tokens, whole and in cached pieces, keep the same bound on nine of the fixtures',
  '(`test/parity/long-prompts.test.ts`), and models saved by this package load in transformers with the same',
  'logits (`test/export.test.ts`).',
  ...lines,
  '',
].join('\n');
writeFileSync(new URL('../../PARITY.md', import.meta.url), text);
console.log(`${cells} cells, largest ${largest.toExponential(2)}, backends ${backends.join(', ')}`);
