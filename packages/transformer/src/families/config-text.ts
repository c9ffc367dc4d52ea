// The text of a config.json that Python reads back with the right number types.

/**
 * Keys that transformers types as float. It refuses an integer there, and JSON from JavaScript drops the
 * fraction of 30.0, whether the number was ours or came from a file.
 */
const floatKeys = [
  'attn_logit_softcapping',
  'final_logit_softcapping',
  'rms_norm_eps',
  'layer_norm_eps',
  'layer_norm_epsilon',
  'initializer_range',
  'rope_theta',
  'rope_local_base_freq',
  'factor',
  'low_freq_factor',
  'high_freq_factor',
  'attention_factor',
  'partial_rotary_factor',
  'rotary_pct',
];

const integerFloat = new RegExp(`^(\\s*"(?:${floatKeys.join('|')})": -?\\d+)(,?)$`, 'gm');

/** Two-space JSON with a newline at the end. */
export function configText(json: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(json, null, 2).replace(integerFloat, '$1.0$2')}\n`;
}
