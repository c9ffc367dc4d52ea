// What every backend candidate answers: a started backend, or why it cannot start and what would help.

/** Thrown inside a candidate's `start` when the backend is not usable here. */
export class BackendRefusal extends Error {
  readonly remedy: string;

  constructor(reason: string, remedy: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'BackendRefusal';
    this.remedy = remedy;
  }
}

/** What a candidate may be told. */
export interface StartOptions {
  /** Worker threads of native code; the backend's own default when absent. */
  readonly threads?: number | undefined;
  /** How constant weights are held; float32 when absent. */
  readonly weights?: WeightPrecision | undefined;
}

/**
 * How a backend holds the weights of products: as given, or rounded by declaration. 'bf16' keeps 8 bits of
 * each mantissa, 'int8' one of 255 levels between the extremes of 128 values.
 */
export type WeightPrecision = 'float32' | 'bf16' | 'int8';

/** What a started backend says about itself. */
export interface Started {
  readonly versions: Readonly<Record<string, string>>;
  /** Threads its kernels use; 1 for code that has none. */
  readonly threads: number;
  /** Bytes of the largest tensor, where something other than memory bounds it. */
  readonly largestTensor?: number | undefined;
}

/** One backend: `start` loads and registers it with tfjs, and throws `BackendRefusal` when it cannot. */
export interface Candidate {
  readonly start: (options: StartOptions) => Promise<Started>;
}
