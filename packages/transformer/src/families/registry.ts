// All families, and the choice among them by what config.json says.
import { SafeInferError } from '@safeinfer/backend';
import { badConfig, ConfigReader, isObject, shown } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';
import type { Family } from './family.ts';
import { gemma } from './gemma.ts';
import { gemma2 } from './gemma2.ts';
import { gemma3 } from './gemma3.ts';
import { gptNeox } from './gpt-neox.ts';
import { gpt2 } from './gpt2.ts';
import { gptj } from './gptj.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { olmo2 } from './olmo2.ts';
import { phi } from './phi.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';

export const families: readonly Family[] = [
  gpt2,
  gptNeox,
  gptj,
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma,
  gemma2,
  gemma3,
  phi,
  phi3,
  olmo2,
];

/** The family a config belongs to. Throws `UNSUPPORTED` when there is none of that name. */
export function familyOf(config: Pick<ModelConfig, 'family'>): Family {
  const family = families.find(({ name }) => name === config.family);
  if (family !== undefined) return family;
  throw new SafeInferError(`no family is named ${shown(config.family)}`, {
    code: 'UNSUPPORTED',
    hint: `known families: ${families.map(({ name }) => name).join(', ')}`,
  });
}

/**
 * Reads a parsed config.json of any supported architecture, in any spelling since transformers 4.0.
 * Absent keys take the defaults of transformers 5.18.
 * @throws SafeInferError `BAD_CONFIG` naming the key, or `UNSUPPORTED` for another architecture
 */
export function readModelConfig(json: unknown): ModelConfig {
  if (!isObject(json)) throw badConfig('(top level)', `must be an object, found ${shown(json)}`);
  return choose(json).readConfig(new ConfigReader(json));
}

function choose(json: Readonly<Record<string, unknown>>): Family {
  const type = json['model_type'];
  const classes = json['architectures'];
  const names: unknown[] = Array.isArray(classes) ? classes : [];
  const family =
    typeof type === 'string'
      ? families.find(({ modelTypes }) => modelTypes.includes(type))
      : families.find(({ architectures }) => architectures.some((name) => names.includes(name)));
  if (family !== undefined) return family;
  throw new SafeInferError(
    `config.json: 'model_type' is ${shown(type)}, which this package does not implement`,
    {
      code: 'UNSUPPORTED',
      hint: `supported: ${families.flatMap(({ modelTypes }) => modelTypes).join(', ')}`,
    },
  );
}

/**
 * The config.json of a model, in spellings that old and new transformers read.
 * @throws SafeInferError `UNSUPPORTED` when the family's format cannot express this config
 *   (biases a folded model gained, scales no key gives, ...), naming what would be lost
 */
export function writeModelConfig(config: ModelConfig): Record<string, unknown> {
  const family = familyOf(config);
  const json = {
    architectures: [family.architectures[0]],
    model_type: family.modelTypes[0],
    ...family.writeConfig(config),
    torch_dtype: 'float32',
  };
  const lost = differences(config, readModelConfig(json));
  if (lost.length === 0) return json;
  throw new SafeInferError(
    `a config.json of family ${family.name} cannot hold this model: ${lost.join(', ')} would change`,
    {
      code: 'UNSUPPORTED',
      hint: 'save the model before processing its weights, or keep the settings of its family',
    },
  );
}

/** Paths at which two configs differ. */
function differences(a: unknown, b: unknown, path = ''): string[] {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return Object.is(a, b) ? [] : [path];
  }
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].flatMap((key) =>
    differences(left[key], right[key], path === '' ? key : `${path}.${key}`),
  );
}
