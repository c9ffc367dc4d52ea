// Prompts of 600 tokens, far beyond windows and training lengths, against Hugging Face: whole and in cached pieces.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dependsOnLength } from '../../src/config/rope-table.ts';
import { onBackend } from '../on-backend.ts';
import { largestDifference } from './differences.ts';
import { fixtureModel, readFixture } from './fixture.ts';
import { tolerance } from './tolerance.ts';

interface Golden {
  readonly length: number;
  readonly cases: readonly { readonly name: string; readonly logits: readonly number[] }[];
}

const golden = JSON.parse(
  readFileSync(new URL('../goldens/long-prompts.json', import.meta.url), 'utf8'),
) as Golden;
const tokens = Array.from({ length: golden.length }, (_, i) => 3 + ((i * i * 7 + i * 13) % 89));
const fixtures = await Promise.all(golden.cases.map(({ name }) => readFixture(name)));

onBackend('wasm');

describe('long prompts', () => {
  for (const [i, { name, logits }] of golden.cases.entries()) {
    it(`${name}: the last logits, whole and in cached pieces`, async () => {
      const fixture = fixtures[i] ?? expect.fail(name);
      // GPT-J's reference makes its table of sines as long as the prompt.
      const config = { ...fixture.config, maxPositions: golden.length };
      using model = fixtureModel({ ...fixture, config });
      const theirs = { shape: [1, logits.length], data: logits };
      const rotaries = fixture.config.layers.map(({ rotary }) => rotary);
      using whole = model.forward([{ tokens }]);
      expect(await largestDifference(whole.lastLogits(), theirs)).toBeLessThan(tolerance);
      if (rotaries.some((rotary) => rotary !== null && dependsOnLength(rotary))) return;
      using cache = model.createCache();
      for (const [from, to] of [
        [0, 300],
        [300, 570],
        [570, 599],
      ] as const) {
        model.forward([{ tokens: tokens.slice(from, to), cache }], { logits: 'none' }).dispose();
      }
      using last = model.forward([{ tokens: tokens.slice(599), cache }]);
      expect(await largestDifference(last.lastLogits(), theirs)).toBeLessThan(tolerance);
    });
  }
});
