// What a grammar engine offers the sampler: which tokens may come next, and the way back when drafts are rejected.

/** The state of one row. */
export interface GrammarState {
  /** Allowed tokens as bits (token t is bit t % 32 of word t / 32), or undefined when everything is allowed. */
  allowed(): Promise<Int32Array | undefined>;
  /** Moves past a token; false when the grammar does not allow it. */
  accept(token: number): boolean;
  rollback(tokens: number): void;
  /** True when the text is complete and nothing may follow. */
  readonly finished: boolean;
  dispose(): void;
}

/** A compiled grammar: makes one state a row. */
export interface TokenMask {
  start(): Promise<GrammarState>;
}
