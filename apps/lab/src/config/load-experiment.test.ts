import { describe, expect, it } from 'vitest';
import { ConfigError } from '../errors/config-error.ts';
import { parseExperiment } from './load-experiment.ts';

const good = `schemaVersion: 1
name: tiny
arms:
  - name: base
  - name: guided
    guide:
      safeInfer:
        lambda: 0.9
        unsafe: { systemPrompt: no }
benchmarks:
  - use: pocket-harmful
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

describe('parseExperiment', () => {
  it('fills in defaults', () => {
    const experiment = parseExperiment(good, 'x.yaml');
    expect(experiment.edits).toEqual([{ name: 'unedited' }]);
    expect(experiment.prompts).toEqual(['simple']);
  });

  it.each([
    ['lambda at 1', good.replace('0.9', '1'), /^x\.yaml:8:17: .*lambda must be in \[0, 1\)/],
    ['a negative lambda', good.replace('0.9', '-0.1'), /^x\.yaml:8:17: /],
    ['an unknown key', good.replace('lambda', 'lamda'), /^x\.yaml:8:16: .*lamda: unknown key/m],
    [
      'an arm twice',
      good.replace('name: guided', 'name: base'),
      /^x\.yaml:5:11: .*"base" is used twice/,
    ],
    ['no benchmarks', good.replace('- use: pocket-harmful', '[]'), /^x\.yaml:11:3: benchmarks/],
    [
      'a layer below 0',
      `${good}edits: [{ name: e, rome: { facts: pocket, layer: -1 } }]`,
      /rome\.layer/,
    ],
    ['broken YAML', 'arms: [', /^x\.yaml:1:\d+: /],
    ['an empty file', '', /^x\.yaml/],
  ])('points at %s', (_, text, message) => {
    expect(problem(text)).toMatch(message);
  });
});
