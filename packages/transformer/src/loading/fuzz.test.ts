// Mutated config.json files: a typed error, or a config whose weights can be listed.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { weightShapes } from '../config/weight-shapes.ts';
import { readModelConfig } from '../families/registry.ts';
import { readJsonFile } from './read-json.ts';
import { hostileRun, tally } from './testing/hostile-run.ts';
import { byteMutation, jsonMutation } from './testing/mutations.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
let directory: string;
const configs: Buffer[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fuzz-config-'));
  for (const entry of await readdir(fixtures, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const file = await readFile(join(fixtures, entry.name, 'config.json')).catch(() => undefined);
    if (file !== undefined) configs.push(file);
  }
});
afterAll(() => rm(directory, { recursive: true }));

describe('mutated config.json', () => {
  it('3,000 of every family give a typed error or a usable config', async () => {
    expect(configs.length).toBeGreaterThan(10);
    const path = join(directory, 'config.json');
    const outcomes = tally();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(configs.length - 1),
        byteMutation,
        jsonMutation,
        fc.boolean(),
        async (which, mutate, edit, ofBytes) => {
          const config = configs[which] as Buffer;
          const edited = ofBytes
            ? mutate(config)
            : (JSON.stringify(edit(JSON.parse(config.toString()))) ?? '');
          await writeFile(path, edited);
          outcomes.add(
            await hostileRun(async () => {
              const json = await readJsonFile(path, { maxBytes: 1024 * 1024 });
              const shapes = weightShapes(readModelConfig(json));
              expect(shapes.size).toBeGreaterThan(0);
            }),
          );
        },
      ),
      { numRuns: 3_000, seed: 31 },
    );
    expect(outcomes.counts.get('BAD_FILE')).toBeGreaterThan(300);
    expect(outcomes.counts.get('BAD_CONFIG')).toBeGreaterThan(100);
    expect(outcomes.counts.get('ok')).toBeGreaterThan(300);
  }, 240_000);
});
