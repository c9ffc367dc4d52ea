// Choice of a tfjs backend: the best that works here, and why each better one was not taken.
import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_ORDER, type BackendName, TF_BACKEND } from './backend-name.ts';
import type { WeightPrecision } from './detect/candidate.ts';
import { prepareTfjs } from './prepare-tfjs.ts';
import { SafeInferError, throwIfAborted } from './safe-infer-error.ts';
import { asRefusal, startBackend } from './start-backend.ts';

export interface UseBackendOptions {
  /** A backend, or `auto` (the default): the first of `BACKEND_ORDER` that works. */
  readonly name?: BackendName | 'auto';
  /** Threads of native kernels; the backend's own default when absent. */
  readonly threads?: number;
  /**
   * Rounds the weights of products, to read fewer bytes at every step: 'bf16' on tfjs-node, 'int8' on ort.
   * Default 'float32', the reference. A backend that cannot is not taken.
   */
  readonly weights?: WeightPrecision;
  readonly signal?: AbortSignal;
}

/** Why a backend was not taken, and what would change that. */
export interface NotTaken {
  readonly name: BackendName;
  readonly reason: string;
  readonly remedy: string;
}

export interface BackendReport {
  readonly name: BackendName;
  /** What `tf.getBackend()` answers. */
  readonly tfBackend: string;
  /** One entry for each better backend, best first; empty for a backend asked for by name. */
  readonly reasons: readonly NotTaken[];
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
  /** As asked for: any rounding of weights is declared here. */
  readonly weights: WeightPrecision;
}

/**
 * Starts a backend and makes it tfjs's active one. Calling it again switches.
 *
 * @throws SafeInferError BACKEND_UNAVAILABLE when a named backend cannot start (with its remedy as the
 *   hint), BAD_ARGUMENT for a name or thread count that means nothing, ABORTED.
 */
export async function useBackend(options: UseBackendOptions = {}): Promise<BackendReport> {
  const { name = 'auto', threads, weights = 'float32', signal } = options;
  check(name, threads);
  throwIfAborted(signal);
  await prepareTfjs();
  const reasons: NotTaken[] = [];
  for (const candidate of name === 'auto' ? BACKEND_ORDER : [name]) {
    throwIfAborted(signal);
    try {
      const started = await startBackend(candidate, { threads, weights });
      return {
        name: candidate,
        tfBackend: TF_BACKEND[candidate],
        reasons,
        versions: { '@tensorflow/tfjs-core': tf.version_core, ...started.versions },
        threads: started.threads,
        weights,
      };
    } catch (error) {
      const refusal = asRefusal(candidate, error);
      if (name !== 'auto') {
        if (SafeInferError.isInstance(error)) throw error;
        throw new SafeInferError(`backend ${candidate} cannot start: ${refusal.message}`, {
          code: 'BACKEND_UNAVAILABLE',
          hint: refusal.remedy,
          cause: error,
        });
      }
      reasons.push({ name: candidate, reason: refusal.message, remedy: refusal.remedy });
    }
  }
  throw new SafeInferError('no backend starts here', {
    code: 'BACKEND_UNAVAILABLE',
    hint: reasons.map((entry) => `${entry.name}: ${entry.reason}`).join('; '),
  });
}

function check(name: string, threads: number | undefined): void {
  if (name !== 'auto' && !(BACKEND_ORDER as readonly string[]).includes(name)) {
    throw new SafeInferError(`there is no backend '${name}'`, {
      code: 'BAD_ARGUMENT',
      hint: `use one of auto, ${BACKEND_ORDER.join(', ')}`,
    });
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= 1024)) {
    throw new SafeInferError(`threads is ${threads}`, {
      code: 'BAD_ARGUMENT',
      hint: 'give a whole number from 1 to 1024, or leave it out',
    });
  }
}
