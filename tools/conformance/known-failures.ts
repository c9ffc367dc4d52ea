// Why a spec of tfjs-core fails on a backend here, by a pattern of its name.

export interface KnownFailure {
  readonly pattern: RegExp;
  readonly reason: string;
}

export const KNOWN_FAILURES: readonly KnownFailure[] = [];
