// How a model's authors want it to be sampled, and where it ends: generation_config.json.
import { join } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { type JsonObject, readJsonFile } from './read-json.ts';

/** Settings of `generation_config.json`; a setting that no file states is absent. */
export interface GenerationConfig {
  /** Tokens that end a text; chat models often have several. Empty when no file names one. */
  readonly eosIds: readonly number[];
  readonly bosId?: number;
  readonly padId?: number;
  readonly doSample?: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly maxNewTokens?: number;
}

/** Real files stay below 10 kB, except lists of suppressed tokens. */
const maxBytes = 1024 * 1024;
/** config.json can carry label maps of some megabytes. */
const maxModelConfigBytes = 16 * 1024 * 1024;

/**
 * Reads `generation_config.json` of a model directory, falling back to `config.json` for the ids of
 * BOS, EOS and padding, as transformers does.
 *
 * @throws SafeInferError `BAD_FILE`, or `BAD_CONFIG` naming the setting and what it is
 */
export async function readGenerationConfig(directory: string): Promise<GenerationConfig> {
  const model = await readJsonFile(join(directory, 'config.json'), {
    maxBytes: maxModelConfigBytes,
  });
  const generation = await readJsonFile(join(directory, 'generation_config.json'), { maxBytes });
  return parseGenerationConfig(generation ?? {}, model ?? {});
}

/** Reads parsed contents; `model` is the config.json to fall back to. */
export function parseGenerationConfig(
  generation: JsonObject,
  model: JsonObject = {},
): GenerationConfig {
  const idOf = (key: string): unknown => generation[key] ?? model[key] ?? undefined;
  const eos = idOf('eos_token_id');
  const optional = {
    bosId: tokenId('bos_token_id', idOf('bos_token_id')),
    padId: tokenId('pad_token_id', idOf('pad_token_id')),
    doSample: flag('do_sample', generation['do_sample']),
    temperature: amount('temperature', generation['temperature'], { min: 0 }),
    topK: tokenId('top_k', generation['top_k']),
    topP: amount('top_p', generation['top_p'], { min: 0, max: 1 }),
    minP: amount('min_p', generation['min_p'], { min: 0, max: 1 }),
    repetitionPenalty: amount('repetition_penalty', generation['repetition_penalty'], { min: 0 }),
    maxNewTokens: tokenId('max_new_tokens', generation['max_new_tokens']),
  };
  const stated = Object.entries(optional).filter(([, value]) => value !== undefined);
  return {
    ...(Object.fromEntries(stated) as Omit<GenerationConfig, 'eosIds'>),
    eosIds: (Array.isArray(eos) ? (eos as unknown[]) : [eos]).flatMap(
      (id) => tokenId('eos_token_id', id) ?? [],
    ),
  };
}

function bad(key: string, value: unknown, wanted: string): SafeInferError {
  const shown = (JSON.stringify(value) ?? String(value)).slice(0, 80);
  return new SafeInferError(`generation_config.json: '${key}' is ${shown}`, {
    code: 'BAD_CONFIG',
    hint: `it must be ${wanted}`,
  });
}

function tokenId(key: string, value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  // Some authors write -1 for "none".
  if (value === -1) return undefined;
  throw bad(key, value, 'a non-negative integer');
}

function flag(key: string, value: unknown): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return value;
  throw bad(key, value, 'true or false');
}

function amount(
  key: string,
  value: unknown,
  range: { readonly min: number; readonly max?: number },
): number | undefined {
  if (value === undefined || value === null) return undefined;
  const { min, max = Number.MAX_VALUE } = range;
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw bad(key, value, `a number from ${min}${range.max === undefined ? ' up' : ` to ${max}`}`);
}
