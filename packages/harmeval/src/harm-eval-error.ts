// The error every function of this package throws: a stable code for programs, a hint for people.

/** Stable identifiers of what went wrong; programs branch on these, never on the message. */
export type HarmEvalErrorCode =
  | 'BAD_ARGUMENT'
  | 'BAD_FILE'
  | 'BAD_DATASET'
  | 'WRONG_DATASET'
  | 'GATED'
  | 'NOT_FOUND'
  | 'OFFLINE'
  | 'LEAK'
  | 'GENERATION_FAILED'
  | 'TOO_MANY_ERRORS'
  | 'ABORTED';

/** Where in a file the fault lies: both are 1-based, as editors count. */
export interface FaultLocation {
  readonly file?: string;
  readonly line?: number;
  readonly row?: number;
}

export interface HarmEvalErrorOptions {
  readonly code: HarmEvalErrorCode;
  /** What the reader should do about it, as one sentence. */
  readonly hint: string;
  readonly location?: FaultLocation;
  readonly cause?: unknown;
}

/** An error with a `code` and a `hint`. `message` says what is wrong, `hint` what to do. */
export class HarmEvalError extends Error {
  /** Recognises the error across duplicate copies of this package, where `instanceof` does not. */
  readonly marker = 'safeinfer.harmeval.error' as const;
  readonly code: HarmEvalErrorCode;
  readonly hint: string;
  readonly location: FaultLocation | undefined;

  constructor(message: string, options: HarmEvalErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HarmEvalError';
    this.code = options.code;
    this.hint = options.hint;
    this.location = options.location;
  }

  /** True for an error of this kind from any copy of the package. */
  static isInstance(error: unknown): error is HarmEvalError {
    return (
      typeof error === 'object' &&
      error !== null &&
      (error as { readonly marker?: unknown }).marker === 'safeinfer.harmeval.error'
    );
  }
}

/** Throws `ABORTED` when the signal has fired; called between the steps of long work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new HarmEvalError('the evaluation was aborted', {
    code: 'ABORTED',
    hint: 'nothing is wrong: the AbortSignal passed to this call fired',
    cause: signal.reason,
  });
}
