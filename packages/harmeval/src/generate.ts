// What the caller provides: a function from prompts to texts. Local model, remote endpoint and mock all fit it.

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** What a model reads: chat messages (the generator applies its template) or raw text (no template at all). */
export type Prompt =
  | { readonly kind: 'chat'; readonly messages: readonly ChatMessage[] }
  | { readonly kind: 'raw'; readonly text: string };

export interface Sampling {
  /** 0 means greedy. */
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly maxNewTokens?: number;
  readonly stop?: readonly string[];
}

export interface GenerateRequest {
  /** Unique in one run; results are matched by position, the id serves logs. */
  readonly id: string;
  readonly prompt: Prompt;
  readonly sampling: Sampling;
  /** 32-bit seed of this row, the same in every arm for the same item and repeat. */
  readonly seed: number;
}

export type FinishReason = 'stop' | 'length' | 'content_filter';

export interface Usage {
  readonly tokensIn?: number;
  readonly tokensOut?: number;
}

export interface GenerateResult {
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly usage?: Usage;
  /** Set by `withGenerationCache`: this text was not generated now. */
  readonly cached?: true;
}

export interface GenerateOptions {
  readonly signal?: AbortSignal;
}

/**
 * Generates one text per request, in order. Throw a `GenerateFailure` (or any Error) when a call fails: rows of a failed
 * batch are retried one by one, so that one bad row cannot take its neighbours with it.
 */
export interface Generate {
  (
    requests: readonly GenerateRequest[],
    options: GenerateOptions,
  ): Promise<readonly GenerateResult[]>;
  /** Rows this generator takes in one call; 1 when absent. */
  readonly batchSize?: number;
  /** Calls that may be in flight at once; 1 when absent (a local model), more for endpoints. */
  readonly concurrency?: number;
  /**
   * Identity of everything that decides the text besides the request: weights, tokenizer, chat template, interventions,
   * decoding formula, precision. It enters every cache key; without it nothing is cached.
   */
  readonly fingerprint?: string;
}

/** What a generator declares about itself. */
export type GenerateFacts = Pick<Generate, 'batchSize' | 'concurrency' | 'fingerprint'>;

/** Attaches what a generator declares to a plain function. */
export function defineGenerate(
  generate: (
    requests: readonly GenerateRequest[],
    options: GenerateOptions,
  ) => Promise<readonly GenerateResult[]>,
  facts: GenerateFacts = {},
): Generate {
  return Object.assign(
    (requests: readonly GenerateRequest[], options: GenerateOptions) => generate(requests, options),
    facts,
  );
}

/** The prompt as one text, for identity and for models without a chat template. */
export function promptText(prompt: Prompt): string {
  if (prompt.kind === 'raw') return prompt.text;
  return prompt.messages.map((message) => `${message.role}: ${message.content}`).join('\n');
}
