// Why a call to a model failed, in the four classes that decide what to do next.
import { HarmEvalError } from './harm-eval-error.ts';

/**
 * `transient`: try again; `rate_limit`: try again later, honouring `retryAfterMs`; `content_filter`: the provider
 * declined, repeating is pointless; `permanent`: this request can never work.
 */
export type FailureClass = 'transient' | 'rate_limit' | 'content_filter' | 'permanent';

export interface GenerateFailureOptions {
  readonly failureClass: FailureClass;
  readonly status?: number;
  /** From a `Retry-After` header, in milliseconds. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** Thrown by generators and endpoints; anything else that is thrown counts as `transient`. */
export class GenerateFailure extends Error {
  readonly marker = 'safeinfer.harmeval.generate-failure' as const;
  readonly failureClass: FailureClass;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: GenerateFailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'GenerateFailure';
    this.failureClass = options.failureClass;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }

  static isInstance(error: unknown): error is GenerateFailure {
    return (
      typeof error === 'object' &&
      error !== null &&
      (error as { readonly marker?: unknown }).marker === 'safeinfer.harmeval.generate-failure'
    );
  }
}

/** The class of anything that was thrown. A typed error of this package is a wrong call, which no retry mends. */
export function failureClassOf(error: unknown): FailureClass {
  if (HarmEvalError.isInstance(error)) return 'permanent';
  return GenerateFailure.isInstance(error) ? error.failureClass : 'transient';
}
