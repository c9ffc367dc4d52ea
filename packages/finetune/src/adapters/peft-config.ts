// adapter_config.json: what PEFT writes there, checked; and what it needs to find there.
import { SafeInferError } from '@safeinfer/backend';
import { z } from 'zod';
import { LORA_DEFAULTS, type LoraSettings } from './lora-settings.ts';
import type { MatchedModule } from './match-modules.ts';

const names = z.union([z.string().min(1), z.array(z.string().min(1))]);
const pattern = z.record(z.string(), z.number()).nullish();

const schema = z.looseObject({
  peft_type: z.literal('LORA'),
  r: z.int().positive(),
  lora_alpha: z.number(),
  lora_dropout: z.number().min(0).lt(1).nullish(),
  use_rslora: z.boolean().nullish(),
  target_modules: names,
  exclude_modules: names.nullish(),
  layers_to_transform: z.union([z.int(), z.array(z.int())]).nullish(),
  layers_pattern: names.nullish(),
  rank_pattern: pattern,
  alpha_pattern: pattern,
  base_model_name_or_path: z.string().nullish(),
});

/**
 * Fields that change what the adapter computes and that this package does not compute; each must be absent,
 * null, false, empty or the value given here.
 */
const REFUSED: Readonly<Record<string, string | undefined>> = {
  bias: 'none',
  use_dora: undefined,
  use_qalora: undefined,
  use_bdlora: undefined,
  lora_bias: undefined,
  modules_to_save: undefined,
  layer_replication: undefined,
  target_parameters: undefined,
  trainable_token_indices: undefined,
  alora_invocation_tokens: undefined,
  arrow_config: undefined,
  kasa_config: undefined,
  velora_config: undefined,
  monteclora_config: undefined,
};

/**
 * Reads a parsed adapter_config.json.
 *
 * @throws SafeInferError `BAD_CONFIG` for a malformed one, `UNSUPPORTED` for a kind of adapter that computes
 *   something else than scale * (X A) B
 */
export function readPeftConfig(json: unknown, path: string): LoraSettings {
  const kind = (json as { readonly peft_type?: unknown } | null)?.peft_type;
  if (typeof kind === 'string' && kind !== 'LORA') {
    throw new SafeInferError(`${path} describes a ${kind} adapter`, {
      code: 'UNSUPPORTED',
      hint: 'only LoRA adapters can be loaded',
    });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    throw new SafeInferError(`${path}: ${z.prettifyError(parsed.error).replaceAll('\n', '; ')}`, {
      code: 'BAD_CONFIG',
      hint: 'this is not the adapter_config.json of a PEFT LoRA adapter',
    });
  }
  const fields = parsed.data;
  for (const [field, allowed] of Object.entries(REFUSED)) {
    if (isUnset(fields[field]) || fields[field] === allowed) continue;
    throw new SafeInferError(`${path}: ${field} is ${JSON.stringify(fields[field])}`, {
      code: 'UNSUPPORTED',
      hint: 'merge this adapter into its model with PEFT and load the merged model',
    });
  }
  return {
    rank: fields.r,
    alpha: fields.lora_alpha,
    dropout: fields.lora_dropout ?? LORA_DEFAULTS.dropout,
    rslora: fields.use_rslora ?? false,
    targets: fields.target_modules,
    exclude: fields.exclude_modules ?? [],
    layers: fields.layers_to_transform == null ? null : [fields.layers_to_transform].flat(),
    layersPattern: [fields.layers_pattern ?? []].flat(),
    rankPattern: fields.rank_pattern ?? {},
    alphaPattern: fields.alpha_pattern ?? {},
    baseModel: fields.base_model_name_or_path ?? null,
  };
}

function isUnset(value: unknown): boolean {
  if (value == null || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** The adapter_config.json of an adapter on these modules. */
export function writePeftConfig(
  settings: LoraSettings,
  modules: readonly MatchedModule[],
): Record<string, unknown> {
  const listed = (names: readonly string[] | string): unknown =>
    typeof names === 'string' ? names : [...names].sort();
  return {
    base_model_name_or_path: settings.baseModel,
    bias: 'none',
    exclude_modules: settings.exclude.length === 0 ? null : listed(settings.exclude),
    fan_in_fan_out: modules.some(({ fanInFanOut }) => fanInFanOut),
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: settings.layersPattern.length === 0 ? null : [...settings.layersPattern],
    layers_to_transform: settings.layers,
    lora_alpha: settings.alpha,
    lora_dropout: settings.dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: settings.rank,
    rank_pattern: settings.rankPattern,
    alpha_pattern: settings.alphaPattern,
    target_modules: listed(settings.targets),
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: settings.rslora,
  };
}
