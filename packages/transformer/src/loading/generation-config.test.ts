// generation_config.json with its fallback to config.json.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseGenerationConfig, readGenerationConfig } from './generation-config.ts';

describe('readGenerationConfig', () => {
  it('takes ids from config.json where generation_config.json has none', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'generation-'));
    expect(await readGenerationConfig(directory)).toEqual({ eosIds: [] });
    await writeFile(join(directory, 'config.json'), '{"eos_token_id":2,"bos_token_id":1}');
    expect(await readGenerationConfig(directory)).toEqual({ eosIds: [2], bosId: 1 });
    await writeFile(
      join(directory, 'generation_config.json'),
      '{"eos_token_id":[7,8],"temperature":0.6,"top_k":20,"top_p":0.95,"do_sample":true}',
    );
    expect(await readGenerationConfig(directory)).toEqual({
      eosIds: [7, 8],
      bosId: 1,
      temperature: 0.6,
      topK: 20,
      topP: 0.95,
      doSample: true,
    });
    await rm(directory, { recursive: true });
  });
});

describe('parseGenerationConfig', () => {
  it('reads null and -1 as absent', () => {
    expect(parseGenerationConfig({ eos_token_id: null, pad_token_id: -1 })).toEqual({ eosIds: [] });
  });

  it.each([
    [{ eos_token_id: '2' }, 'eos_token_id'],
    [{ eos_token_id: [2, 0.5] }, 'eos_token_id'],
    [{ temperature: -1 }, 'temperature'],
    [{ temperature: 'hot' }, 'temperature'],
    [{ top_p: 1.5 }, 'top_p'],
    [{ do_sample: 1 }, 'do_sample'],
  ])('refuses %j by name', (generation, key) => {
    expect(() => parseGenerationConfig(generation)).toThrowError(
      expect.objectContaining({ code: 'BAD_CONFIG', message: expect.stringContaining(key) }),
    );
  });
});
