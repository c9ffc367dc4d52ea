// Reads a fine-tuning file; every mistake comes back with its line and column.
import { parseYaml, readConfigText } from '../config/parse-yaml.ts';
import { type FinetuneConfig, finetuneSchema } from './finetune-schema.ts';

/** @throws ConfigError listing all problems at once. */
export function loadFinetuneConfig(file: string): FinetuneConfig {
  return parseFinetuneConfig(readConfigText(file, 'the configuration'), file);
}

export function parseFinetuneConfig(text: string, file: string): FinetuneConfig {
  return parseYaml(text, file, finetuneSchema).value;
}
