// A plan as other programs see it: how messages become a prompt, what it does unless asked otherwise.
import { SafeInferError } from '@safeinfer/backend';
import type { JsonSchema } from '../grammar/check-schema.ts';
import {
  type GrammarTokenizer,
  type GrammarVocabulary,
  jsonMask,
  jsonSchemaMask,
} from '../grammar/grammar-mask.ts';
import type { TokenMask } from '../grammar/token-mask.ts';
import type { Plan } from '../plan/plan.ts';
import type { ChatMessage, PromptInput } from '../plan/prompt.ts';
import type { GenerateOptions } from '../run/generate-options.ts';

export interface ServedModel {
  readonly plan: Plan;
  /** Messages to a prompt; default: the messages themselves, rendered by each model's own chat template. */
  readonly render?: (messages: readonly ChatMessage[]) => PromptInput;
  /** Used where a request says nothing. */
  readonly defaults?: Partial<Omit<GenerateOptions, 'plan' | 'prompts' | 'signal'>>;
}

/** Answers without a limit of their own end here, or where the context ends. */
export const DEFAULT_MAX_NEW_TOKENS = 512;

export function promptOf(served: ServedModel, messages: readonly ChatMessage[]): PromptInput {
  return served.render === undefined ? messages : served.render(messages);
}

/** What the grammar engine needs of a plan's tokenizer. */
function vocabularyOf(plan: Plan): GrammarVocabulary {
  const { tokenizer } = plan.model;
  if (tokenizer === undefined || !('vocabEntry' in tokenizer)) {
    throw new SafeInferError('JSON output for a model whose tokenizer shows no vocabulary', {
      code: 'UNSUPPORTED',
      hint: 'load the model with its tokenizer.json',
    });
  }
  return {
    tokenizer: tokenizer as unknown as GrammarTokenizer,
    vocabSize: plan.vocabSize,
    stopTokens: plan.model.config.eosTokenIds,
  };
}

/** Compiling a grammar reads the whole vocabulary: the masks of a plan are kept by schema. */
const masks = new WeakMap<Plan, Map<string, Promise<TokenMask>>>();
/** More schemas than a service uses; the oldest goes. */
const MAX_MASKS = 32;

/** Mask for any JSON value, or for a schema. */
export function jsonMaskOf(plan: Plan, schema?: JsonSchema): Promise<TokenMask> {
  const known = masks.get(plan) ?? new Map<string, Promise<TokenMask>>();
  masks.set(plan, known);
  const key = JSON.stringify(schema ?? null);
  const found = known.get(key);
  if (found !== undefined) return found;
  const vocabulary = vocabularyOf(plan);
  const made =
    schema === undefined ? jsonMask(vocabulary) : jsonSchemaMask({ ...vocabulary, schema });
  if (known.size >= MAX_MASKS) known.delete(known.keys().next().value as string);
  known.set(key, made);
  made.catch(() => known.delete(key));
  return made;
}
