// Each known porting bug, put into our model, moves logits as far as it moves Hugging Face's: parity would see it.
import { useBackend } from '@safeinfer/backend';
import { beforeAll, describe, expect, it } from 'vitest';
import { bugs } from './bugs.ts';
import { largestDifference } from './differences.ts';
import { type Fixture, fixtureModel, fixtureNames, readFixture } from './fixture.ts';
import { tolerance } from './tolerance.ts';

const fixtures = await Promise.all(fixtureNames().map(readFixture));

beforeAll(() => useBackend({ name: 'cpu' }));

describe('negative controls', () => {
  it('are many', () => {
    const count = fixtures.flatMap(({ facts }) => Object.keys(facts.negative_controls ?? {}));
    expect(count.length).toBeGreaterThan(100);
  });

  for (const fixture of fixtures) {
    for (const [name, effect] of Object.entries(fixture.facts.negative_controls ?? {})) {
      it(`${fixture.name}: ${name} moves a logit by ${effect.toPrecision(2)}`, async () => {
        const moved = await effectOf(name, fixture);
        expect(moved).toBeGreaterThan(tolerance);
        // The bug is the one recorded: same size, give or take fp32 noise on both sides.
        expect(Math.abs(moved - effect)).toBeLessThan(0.002 * effect + 2 * tolerance);
      });
    }
  }
});

async function effectOf(name: string, fixture: Fixture): Promise<number> {
  const bug = bugs[name];
  if (bug === undefined) throw new Error(`no such bug is implemented: ${name}`);
  const { config, weights, interventions = [], length } = bug(fixture);
  using model = fixtureModel({ config, weights });
  const tokens = (fixture.facts.prompts['long'] ?? []).slice(0, length);
  const golden = fixture.tensors.get('logits/long');
  if (golden === undefined) throw new Error('no golden logits');
  using result = model.forward([{ tokens, interventions }], { logits: 'all' });
  const data = golden.data.subarray(0, tokens.length * config.vocabSize);
  const logits = result.logits(0);
  return await largestDifference(logits, { shape: logits.shape, data });
}
