// What a generation is asked for, checked before the first forward pass.
import { SafeInferError } from '@safeinfer/backend';
import type { TokenMask } from '../grammar/token-mask.ts';
import type { Plan } from '../plan/plan.ts';
import { type PromptInput, promptTokens } from '../plan/prompt.ts';
import type { Processor } from '../sampling/processor.ts';
import { checkSampling, type SamplingOptions } from '../sampling/sampling-options.ts';
import { checkStops } from '../text/check-stops.ts';
import { compareContext } from './context-limit.ts';

export interface GenerateOptions {
  readonly plan: Plan;
  readonly prompts: readonly PromptInput[];
  /** Tokens per answer at most. */
  readonly maxNewTokens: number;
  /** Greedy when absent. */
  readonly sampling?: SamplingOptions;
  /** Default 0. The same seed gives the same tokens in any batch, with or without lazy terms and speculation. */
  readonly seed?: number;
  /** Answers per prompt. */
  readonly n?: number;
  /** Strings that end an answer; they and what follows are not handed out. Need a tokenizer. */
  readonly stop?: readonly string[];
  /** Token ids that end an answer, besides the model's end-of-text tokens. */
  readonly stopTokens?: readonly number[];
  /** Go on past the model's own end-of-text tokens. */
  readonly ignoreEos?: boolean;
  /** How many alternatives to report per token (0: only the chosen one's logprob). Makes every term run. */
  readonly logprobs?: number;
  /** 'chosen' (default): what every term contributed to each token; 'none'. */
  readonly attribution?: 'none' | 'chosen';
  /** Skip terms that provably cannot change the token: 'auto' (default) when it pays, true always, false never. */
  readonly lazy?: 'auto' | boolean;
  /**
   * Draft up to this many open tokens from the first term before the others verify them; 1: verify each at once.
   * 'auto' (default): where terms are skipped, an open token waits for the next one while that has paid in this run.
   */
  readonly speculate?: number | 'auto';
  /** Only texts of this grammar. */
  readonly grammar?: TokenMask;
  /** Further processors, after the built-in bans. */
  readonly processors?: readonly Processor[];
  /** Answers in the making at once. Default 8. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
}

/** A checked request: token ids of every prompt under every term. */
export interface Request {
  readonly options: GenerateOptions;
  readonly prompts: readonly (readonly (readonly number[])[])[];
  readonly stopTokens: ReadonlySet<number>;
}

function bad(message: string, hint: string): never {
  throw new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
}

function whole(name: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least)) return;
  bad(`${name} is ${value}`, `${name} is a whole number of at least ${least}`);
}

/** @throws BAD_ARGUMENT or CONTEXT_OVERFLOW before anything runs. */
export function checkRequest(
  options: GenerateOptions,
  /** For texts that are scored: every term must see the same tokens. */
  { keepTokens = false }: { readonly keepTokens?: boolean } = {},
): Request {
  const { plan } = options;
  whole('maxNewTokens', options.maxNewTokens, 1);
  whole('n', options.n, 1);
  whole('batchSize', options.batchSize, 1);
  if (options.speculate !== 'auto') whole('speculate', options.speculate, 1);
  whole('logprobs', options.logprobs, 0);
  if (options.seed !== undefined && !Number.isSafeInteger(options.seed)) {
    bad(`seed is ${options.seed}`, 'a seed is a whole number');
  }
  if (options.prompts.length === 0) bad('no prompts', 'give at least one prompt');
  checkSampling(options.sampling ?? {});
  checkStops(options.stop ?? [], plan.model.tokenizer);
  const eos = options.ignoreEos === true ? [] : plan.model.config.eosTokenIds;
  const stopTokens = new Set([...eos, ...(options.stopTokens ?? [])]);
  for (const token of options.stopTokens ?? []) {
    if (!(Number.isInteger(token) && token >= 0 && token < plan.vocabSize)) {
      bad(`stop token ${token} can never appear`, `token ids are 0 to ${plan.vocabSize - 1}`);
    }
  }
  const prompts = options.prompts.map((prompt) =>
    plan.terms.map(({ id, spec }) =>
      promptTokens(prompt, id, spec.model, spec.prompt, { keepTokens }),
    ),
  );
  prompts.forEach((perTerm, index) => {
    plan.terms.forEach(({ id, spec }, t) => {
      compareContext({
        prompt: index,
        term: id,
        tokens: (perTerm[t] as readonly number[]).length,
        positions: spec.model.config.maxPositions,
      });
    });
  });
  return { options, prompts, stopTokens };
}
