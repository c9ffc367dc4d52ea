// What multiple choice and perplexity need from a model: the log-probability of a continuation.

export interface LogLikelihoodRequest {
  /** Text before the continuation; may be empty for whole documents. */
  readonly context: string;
  readonly continuation: string;
}

export interface LogLikelihoodResult {
  /** Natural logarithm of P(continuation | context), summed over its tokens. */
  readonly logProb: number;
  /** Tokens of the continuation that were scored. */
  readonly tokens: number;
}

/** One result per request, in order. Implementations split context and continuation at the token boundary themselves. */
export interface LogLikelihood {
  (
    requests: readonly LogLikelihoodRequest[],
    options: { readonly signal?: AbortSignal },
  ): Promise<readonly LogLikelihoodResult[]>;
  /** Requests taken in one call; 1 when absent. */
  readonly batchSize?: number;
}

export interface TokenLogLikelihoodRequest {
  /** Token ids before the scored ones. */
  readonly context: readonly number[];
  readonly continuation: readonly number[];
}

/** The same over token ids, for texts that do not fit the model's window. */
export interface TokenLogLikelihood {
  (
    requests: readonly TokenLogLikelihoodRequest[],
    options: { readonly signal?: AbortSignal },
  ): Promise<readonly LogLikelihoodResult[]>;
  readonly batchSize?: number;
  /** Without special tokens. */
  readonly tokenize: (text: string) => readonly number[];
  /** Context and continuation of one request hold at most this many tokens together. */
  readonly window: number;
  /** The token that stands before a document (begin or end of text); null: the first token of a document is not scored. */
  readonly prefix: number | null;
}
