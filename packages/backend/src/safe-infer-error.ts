// The error every SafeInfer package throws: a stable code for programs, a hint for people.

/** Stable identifiers of what went wrong; programs branch on these, never on the message. */
export type ErrorCode =
  | 'BACKEND_UNAVAILABLE'
  | 'ALLOCATION_LIMIT'
  | 'NON_FINITE'
  | 'BAD_ARGUMENT'
  | 'BAD_CONFIG'
  | 'BAD_WEIGHTS'
  | 'BAD_FILE'
  | 'BAD_DATASET'
  | 'BAD_TOKENIZER'
  | 'NOT_FOUND'
  | 'OFFLINE'
  | 'UNSUPPORTED'
  | 'UNKNOWN_HOOK'
  | 'HOOK_RESULT'
  | 'CONTEXT_OVERFLOW'
  | 'WRONG_MODEL'
  | 'DISPOSED'
  | 'ABORTED'
  | 'BUSY'
  | 'SINGULAR'
  | 'IO';

export interface SafeInferErrorOptions {
  readonly code: ErrorCode;
  /** What the reader should do about it, as one sentence. */
  readonly hint: string;
  readonly cause?: unknown;
}

/** An error with a `code` and a `hint`. `message` says what is wrong, `hint` what to do. */
export class SafeInferError extends Error {
  /** Recognises the error across duplicate copies of this package, where `instanceof` does not. */
  readonly marker = 'safeinfer.error' as const;
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(message: string, options: SafeInferErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SafeInferError';
    this.code = options.code;
    this.hint = options.hint;
  }

  /** True for an error of this kind from any copy of the package. */
  static isInstance(error: unknown): error is SafeInferError {
    return (
      typeof error === 'object' &&
      error !== null &&
      (error as { readonly marker?: unknown }).marker === 'safeinfer.error'
    );
  }
}

/** Throws `ABORTED` when the signal has fired; called between the steps of long work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new SafeInferError('the operation was aborted', {
    code: 'ABORTED',
    hint: 'nothing is wrong: the AbortSignal passed to this call fired',
    cause: signal.reason,
  });
}
