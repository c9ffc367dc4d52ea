import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../errors/config-error.ts';
import { loadExperiment, parseExperiment } from './load-experiment.ts';

const head = `schemaVersion: 1
name: sweeps
benchmarks: [{ use: pocket-harmful }]
`;
const sweep = `${head}arms:
  - name: SA
    steer: { safetyAmplification: { safe: pocket, strength: 1 } }
    guide: { safeInfer: { unsafe: { adapter: unsafe } } }
    sweep:
      steer.safetyAmplification.strength: [0.25, 0.5]
      guide.safeInfer.lambda: [0.5, 0.9]
`;

function problem(text: string): string {
  try {
    parseExperiment(text, 'x.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'no problem';
}

describe('sweeps', () => {
  it('write out every combination under a name of its own', () => {
    const { arms } = parseExperiment(sweep, 'x.yaml');
    expect(arms.map(({ name }) => name)).toEqual([
      'SA strength=0.25 lambda=0.5',
      'SA strength=0.25 lambda=0.9',
      'SA strength=0.5 lambda=0.5',
      'SA strength=0.5 lambda=0.9',
    ]);
    expect(arms[2]!.steer?.safetyAmplification?.strength).toBe(0.5);
    expect(arms[1]!.guide?.safeInfer?.lambda).toBe(0.9);
  });

  it.each([
    [
      'a path that does not exist',
      sweep.replace('lambda:', 'lamda:'),
      /guide\.safeInfer\.lamda; did you mean "lambda"/,
    ],
    [
      'a value that cannot be',
      sweep.replace('0.9]', '1.9]'),
      /^x\.yaml:10:37: .*lambda must be in \[0, 1\)/,
    ],
  ])('point at %s', (_, text, message) => {
    expect(problem(text)).toMatch(message);
  });
});

describe('the matrix', () => {
  it('makes an arm of every choice of every factor', () => {
    const { arms } = parseExperiment(
      `${head}matrix:
  steer:
    plain: null
    SA: { safetyAmplification: { safe: pocket } }
  guide:
    alone: null
    sGDS: { safeInfer: { unsafe: { adapter: unsafe } } }
`,
      'x.yaml',
    );
    expect(arms.map(({ name }) => name)).toEqual([
      'plain + alone',
      'plain + sGDS',
      'SA + alone',
      'SA + sGDS',
    ]);
    expect(arms[0]).toEqual({ name: 'plain + alone' });
    expect(Object.keys(arms[3]!)).toEqual(['name', 'steer', 'guide']);
  });

  it('is needed where there are no arms', () => {
    expect(problem(head)).toMatch(/no arm: give arms, a matrix, or both/);
  });
});

describe('suggestions', () => {
  it.each([
    [
      'a key of a recipe',
      sweep.replace('unsafe: {', 'unsave: {'),
      /unknown key; did you mean "unsafe"\?/,
    ],
    [
      'a recipe',
      sweep.replace('guide: { safeInfer', 'guide: { safeinfer'),
      /did you mean "safeInfer"/,
    ],
    ['a style', `${sweep}prompts: [simpel]\n`, /"simpel".*did you mean "simple"/],
    ['an enum', sweep.replace('strength: 1', 'preset: papr'), /"papr".*did you mean "paper"/],
    ['a key at the top', `${sweep}benchmark: []\n`, /did you mean "benchmarks"/],
    [
      'a recipe too many',
      sweep.replace('guide: { safeInfer', 'guide: { safetyPrompt: {}, safeInfer'),
      /name exactly one of: safeInfer, safeDecoding/,
    ],
  ])('name the nearest for %s', (_, text, message) => {
    expect(problem(text)).toMatch(message);
  });
});

describe('shipped experiments', () => {
  const root = fileURLToPath(new URL('../../../../experiments', import.meta.url));
  // Configurations of other commands stand beside them.
  const shipped = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (name) =>
      name.endsWith('.yaml') && readFileSync(join(root, name), 'utf8').includes('\nbenchmarks:'),
  );
  it('are all here', () => expect(shipped.length).toBeGreaterThanOrEqual(13));
  it.each(shipped)('%s is valid', (name) => {
    expect(loadExperiment(join(root, name)).arms.length).toBeGreaterThan(0);
  });
});
