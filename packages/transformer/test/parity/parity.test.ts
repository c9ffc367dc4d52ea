// Every fixture on every backend against Hugging Face: 5e-5 absolute, greedy text exact.
import { describeOnBackends } from '@safeinfer/backend/testing';
import { expect, it } from 'vitest';
import { greedy, measureDifferences } from './differences.ts';
import { type Fixture, fixtureModel, fixtureNames, readFixture } from './fixture.ts';
import { tolerance } from './tolerance.ts';

const fixtures = await Promise.all(fixtureNames().map(readFixture));

await describeOnBackends('parity', () => {
  for (const fixture of fixtures) {
    it(`${fixture.name}: logits, residuals, maps and inner activations`, async () => {
      using model = fixtureModel(fixture);
      const found = await measureDifferences(model, fixture);
      expect(Object.keys(found).sort()).toEqual(expectedSettings(fixture));
      for (const [setting, difference] of Object.entries(found)) {
        expect(difference, setting).toBeLessThan(tolerance);
      }
    });

    // Storage variants record logits only.
    if (fixture.facts.greedy === undefined) continue;
    it(`${fixture.name}: greedy text`, async () => {
      using model = fixtureModel(fixture);
      for (const [prompt, expected] of Object.entries(fixture.facts.greedy ?? {})) {
        const tokens = fixture.facts.prompts[prompt] ?? [];
        expect(await greedy(model, tokens, expected.length)).toEqual(expected);
      }
    });
  }
});

/** A fixture without golden values for a setting must not pass by measuring nothing. */
function expectedSettings({ name, facts }: Fixture): string[] {
  const storage = /^llama-(bf16|f16|sharded)$/.test(name);
  const variant = name.includes(':');
  return [
    'logits',
    'long',
    ...(facts.batch === undefined ? [] : ['ragged']),
    ...(storage ? [] : ['cached', 'residuals', 'pattern', 'gradient']),
    ...(storage || variant ? [] : ['inner']),
  ].sort();
}
