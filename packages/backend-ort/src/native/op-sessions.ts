// Sessions of single operations, one for each signature; any rank and size, no constants of the user's.
import { type ModelSpec, onnxModel } from '../onnx/model.ts';
import { createSession, type NativeSession } from './binding.ts';

/** More signatures than a program has; beyond it something makes a new one at every step. */
const CAPACITY = 512;

/** Sessions by signature, least recently made first out. */
export class OpSessions {
  readonly #sessions = new Map<string, NativeSession>();
  readonly #threads: number;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** The session for `signature`, built by `model` when it is new. */
  get(signature: string, model: () => ModelSpec): NativeSession {
    const known = this.#sessions.get(signature);
    if (known !== undefined) return known;
    if (this.#sessions.size >= CAPACITY) {
      const [oldest, session] = this.#sessions.entries().next().value as [string, NativeSession];
      this.#sessions.delete(oldest);
      session.dispose();
    }
    const session = createSession(onnxModel(model()), { threads: this.#threads });
    this.#sessions.set(signature, session);
    return session;
  }

  get size(): number {
    return this.#sessions.size;
  }

  dispose(): void {
    for (const session of this.#sessions.values()) session.dispose();
    this.#sessions.clear();
  }
}
