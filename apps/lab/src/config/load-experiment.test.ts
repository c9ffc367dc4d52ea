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

  it('merges entries that vary another', () => {
    const { edits } = parseExperiment(
      `${good}edits:
  - { name: a, rome: &rome { facts: pocket, count: 3 } }
  - { name: b, rome: { <<: *rome, control: random } }
`,
      'x.yaml',
    );
    expect(edits[1]!.rome).toEqual({ ...edits[0]!.rome, control: 'random' });
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
    [
      'two editors of one edit',
      `${good}edits: [{ name: e, rome: { facts: pocket }, memit: { facts: pocket } }]`,
      /edits\.0\.memit: an edit has one editor, and rome is named already/,
    ],
    [
      'a setting of another editor',
      `${good}edits: [{ name: e, memit: { facts: pocket, layer: 3 } }]`,
      /memit\.layer: unknown key; did you mean "layers"/,
    ],
    [
      'an editor by another spelling',
      `${good}edits: [{ name: e, alphaedit: { facts: pocket } }]`,
      /alphaedit: unknown key; did you mean "alphaEdit"/,
    ],
    [
      'statistics twice',
      `${good}edits: [{ name: e, memit: { facts: pocket, moments: a.npz, collect: b.txt } }]`,
      /memit\.collect: moments and collect contradict/,
    ],
    [
      'an unknown control',
      `${good}edits: [{ name: e, emmet: { facts: pocket, control: randon } }]`,
      /control: "randon": use one of random, randomRankOne; did you mean "random"/,
    ],
    ['broken YAML', 'arms: [', /^x\.yaml:1:\d+: /],
    ['an empty file', '', /^x\.yaml/],
  ])('points at %s', (_, text, message) => {
    expect(problem(text)).toMatch(message);
  });
});
