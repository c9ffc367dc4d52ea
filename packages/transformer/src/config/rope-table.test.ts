// Rotary tables against Hugging Face's own, up to position 20,000.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readModelConfig } from '../families/registry.ts';
import type { RotaryConfig } from './model-config.ts';
import { dependsOnLength, inverseFrequencies, ropeTable, ropeTableKey } from './rope-table.ts';

interface Golden {
  readonly dim: number;
  readonly positions: readonly number[];
  readonly cases: readonly {
    readonly name: string;
    readonly config: Readonly<Record<string, unknown>>;
    readonly sequence_length: number;
    readonly cos: readonly (readonly number[])[];
    readonly sin: readonly (readonly number[])[];
  }[];
  readonly gptj: Pick<Golden['cases'][0], 'cos' | 'sin'>;
}

const golden = JSON.parse(
  readFileSync(new URL('../../test/goldens/rope.json', import.meta.url), 'utf8'),
) as Golden;

/**
 * Two fp32 ulps of a sine. At two odd bases the reference's own power is one ulp off the correctly
 * rounded one at one frequency (0.2 and 0.003), which grows with the position.
 */
const tolerance = (name: string, position: number): number =>
  2.4e-7 + position * (name === 'yarn-raw' ? 1.5e-8 : name === 'dynamic' ? 4e-10 : 0);

function rotaryOf(config: Readonly<Record<string, unknown>>): RotaryConfig {
  const read = readModelConfig({
    model_type: 'llama',
    hidden_size: golden.dim * 2,
    num_attention_heads: 2,
    num_hidden_layers: 1,
    ...config,
  });
  return read.layers[0]?.rotary as RotaryConfig;
}

function worst(
  rotary: RotaryConfig,
  options: {
    readonly name: string;
    readonly sequenceLength: number;
    readonly cos: readonly (readonly number[])[];
    readonly sin: readonly (readonly number[])[];
  },
): number {
  const { name, sequenceLength, cos, sin } = options;
  const table = ropeTable({ rotary, length: sequenceLength, sequenceLength });
  const half = golden.dim / 2;
  let excess = 0;
  for (const [row, expected] of cos.entries()) {
    const position = golden.positions[row] as number;
    for (let i = 0; i < half; i++) {
      const at = position * half + i;
      for (const [ours, theirs] of [
        [table.cos[at], expected[i]],
        [table.sin[at], sin[row]?.[i]],
      ] as const) {
        excess = Math.max(
          excess,
          Math.abs((ours as number) - (theirs as number)) / tolerance(name, position),
        );
      }
    }
  }
  return excess;
}

describe('ropeTable', () => {
  for (const { name, config, sequence_length: sequenceLength, cos, sin } of golden.cases) {
    it(`${name} at length ${sequenceLength} is Hugging Face's table`, () => {
      expect(worst(rotaryOf(config), { name, sequenceLength, cos, sin })).toBeLessThan(1);
    });
  }

  it("interleaved tables are GPT-J's", () => {
    const rotary = { ...rotaryOf({}), interleaved: true };
    const { cos, sin } = golden.gptj;
    expect(worst(rotary, { name: 'gptj', sequenceLength: 20_001, cos, sin })).toBeLessThan(1);
  });

  it('sees a float64 table, an ignored scaling and the wrong length (the check can fail)', () => {
    const longrope = golden.cases.find((one) => one.name === 'longrope');
    const llama3 = golden.cases.find((one) => one.name === 'llama3');
    if (longrope === undefined || llama3 === undefined) throw new Error('golden cases missing');
    const short = { ...longrope, sequenceLength: 20_001 };
    expect(longrope.sequence_length).toBe(512);
    expect(worst(rotaryOf(longrope.config), short)).toBeGreaterThan(1);
    const plain = { ...rotaryOf(llama3.config), scaling: { kind: 'none' } as const };
    expect(worst(plain, { ...llama3, sequenceLength: 20_001 })).toBeGreaterThan(1);
    const frequency = 10_000 ** (-2 / golden.dim);
    const at = golden.positions.indexOf(20_000);
    const expected = golden.cases[0]?.cos[at]?.[1] as number;
    expect(Math.abs(Math.cos(20_000 * frequency) - expected)).toBeGreaterThan(1e-5);
  });
});

describe('lengths that share a table', () => {
  it('is one for fixed scalings, and follows the row for dynamic and longrope', () => {
    const plain = rotaryOf({});
    expect(dependsOnLength(plain)).toBe(false);
    expect(ropeTableKey(plain, 10)).toBe(ropeTableKey(plain, 9999));
    for (const { name, config } of golden.cases) {
      const rotary = rotaryOf(config);
      expect(dependsOnLength(rotary)).toBe(name === 'dynamic' || name === 'longrope');
      for (const [a, b] of [
        [1, 512],
        [4096, 4097],
        [5000, 6000],
      ] as const) {
        const same = inverseFrequencies(rotary, a).join() === inverseFrequencies(rotary, b).join();
        expect(ropeTableKey(rotary, a) === ropeTableKey(rotary, b)).toBe(same);
      }
    }
  });
});
