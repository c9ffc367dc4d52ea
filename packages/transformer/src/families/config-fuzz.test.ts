// 12,000 mutated config.json files: each gives a typed error or a config that is coherent.
import { readdirSync, readFileSync } from 'node:fs';
import { SafeInferError } from '@safeinfer/backend';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../config/model-config.ts';
import { ropeTable } from '../config/rope-table.ts';
import { weightShapes } from '../config/weight-shapes.ts';
import { readModelConfig } from './registry.ts';
import { weightTable } from './weight-table.ts';

const root = new URL('../../fixtures/', import.meta.url);
const bases = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap((entry) =>
    readdirSync(new URL(`${entry.name}/`, root))
      .filter((file) => /^config\..*json$/.test(file))
      .map((file) => readFileSync(new URL(`${entry.name}/${file}`, root), 'utf8')),
  );

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1,
    2,
    3,
    0.5,
    1e-300,
    1e308,
    2 ** 31,
    2 ** 53,
    '',
    'gelu',
    'silu',
    'default',
    'linear',
    'dynamic',
    'yarn',
    'longrope',
    'llama3',
    'su',
    'full_attention',
    'sliding_attention',
    [],
    {},
    { rope_type: 'yarn', factor: 4 },
    { type: 'dynamic', factor: 2 },
    { full_attention: { rope_type: 'linear', factor: 2 }, sliding_attention: null },
    ['sliding_attention', 'full_attention', 'sliding_attention'],
    [1.5, 2.5, 3.5, 4.5],
  ),
  fc.integer({ min: -4, max: 100_000 }),
  fc.double(),
  fc.string(),
  fc.jsonValue({ maxDepth: 3 }),
);

/** A path into the object (chosen by fractions, so that it shrinks well) and what is put there. */
const mutation = fc.record({
  path: fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 3 }),
  action: fc.constantFrom('set', 'delete', 'swap'),
  value: odd,
  key: fc.constantFrom(
    '',
    'rope_scaling',
    'rope_parameters',
    'head_dim',
    'layer_types',
    '__proto__',
  ),
});

function mutate(
  json: Record<string, unknown>,
  { path, action, value, key }: typeof mutation extends fc.Arbitrary<infer M> ? M : never,
): void {
  let target = json;
  for (const [depth, fraction] of path.entries()) {
    const keys = Object.keys(target);
    const name =
      (key !== '' && depth === path.length - 1 ? key : keys[Math.floor(fraction * keys.length)]) ??
      'x';
    const next = target[name];
    const last = depth === path.length - 1;
    if (!last && typeof next === 'object' && next !== null) {
      target = next as Record<string, unknown>;
      continue;
    }
    if (action === 'delete') delete target[name];
    else if (action === 'swap' && keys.length > 1) {
      target[name] = target[keys[(keys.indexOf(name) + 1) % keys.length] as string];
    } else target[name] = value;
    return;
  }
}

/** What every accepted config must satisfy, whatever the file said. */
function coherent(config: ModelConfig): void {
  const whole = (n: number): boolean => Number.isSafeInteger(n) && n > 0;
  const { nLayers, nHeads, nKvHeads, layers, attention, norm } = config;
  for (const size of [
    config.vocabSize,
    config.dModel,
    nLayers,
    nHeads,
    nKvHeads,
    config.dHead,
    config.dMlp,
    config.maxPositions,
  ]) {
    expect(whole(size)).toBe(true);
  }
  expect(nHeads % nKvHeads).toBe(0);
  expect(layers.length).toBe(nLayers);
  expect(attention.scale.length).toBe(nLayers);
  expect(attention.scale.every((scale) => scale > 0 && Number.isFinite(scale))).toBe(true);
  expect(norm.eps > 0 && Number.isFinite(norm.eps)).toBe(true);
  for (const { window, rotary } of layers.slice(0, 3)) {
    expect(window === null || whole(window)).toBe(true);
    expect(rotary === null).toBe(config.positions === 'learned');
    if (rotary === null) continue;
    expect(rotary.dim % 2 === 0 && rotary.dim >= 2 && rotary.dim <= config.dHead).toBe(true);
    if (rotary.dim > 4096) continue;
    const { cos, sin } = ropeTable({ rotary, length: 2, sequenceLength: 40 });
    expect(cos.every(Number.isFinite) && sin.every(Number.isFinite)).toBe(true);
  }
  if (nLayers > 64) return;
  const named = weightTable(config).flatMap(({ parts }) => parts.map(({ name }) => name));
  expect(new Set(named)).toEqual(new Set(weightShapes(config).keys()));
  expect(named.length).toBe(new Set(named).size);
}

describe('readModelConfig under fuzzing', () => {
  // Six seconds alone; the limit is for a machine that runs everything at once.
  it('throws a typed error or returns a coherent config, 12,000 times', {
    timeout: 300_000,
  }, () => {
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...bases),
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        (base, mutations) => {
          const json = JSON.parse(base) as Record<string, unknown>;
          for (const one of mutations) mutate(json, one);
          let config: ModelConfig;
          try {
            config = readModelConfig(json);
          } catch (error) {
            if (!SafeInferError.isInstance(error)) throw error;
            expect(['BAD_CONFIG', 'UNSUPPORTED']).toContain(error.code);
            expect(error.message.length).toBeLessThan(400);
            refused += 1;
            return;
          }
          coherent(config);
          accepted += 1;
        },
      ),
      { numRuns: 12_000, seed: 20_250_301 },
    );
    // Both outcomes must be common, or the mutations test nothing.
    expect(accepted).toBeGreaterThan(2000);
    expect(refused).toBeGreaterThan(2000);
  });
});
