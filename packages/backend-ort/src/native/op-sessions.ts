// Sessions of single operations, one for each signature; any rank and size, no constants of the user's.
import { type ModelSpec, onnxModel } from '../onnx/model.ts';
import { createSession, type NativeSession, type SessionOptions } from './binding.ts';

/** More signatures than a program has; beyond it something makes a new one at every step. */
const CAPACITY = 512;

/** Waking a pool thread takes 20 to 50 microseconds, in which one thread does this much. */
const PARALLEL_WORK = 2 ** 18;

/** Sessions by signature, least recently made first out. */
export class OpSessions {
  readonly #sessions = new Map<string, NativeSession>();
  readonly #threads: number;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /**
   * The session for `signature`, built by `model` when it is new. `work` is about how many elements or
   * multiply-adds the call touches: waking another thread for little work costs more than it does.
   */
  get(
    signature: string,
    work: number,
    model: () => ModelSpec,
    options: Pick<SessionOptions, 'arena' | 'asWritten'> = {},
  ): NativeSession {
    const threads = work < PARALLEL_WORK ? 1 : this.#threads;
    const key = `${signature}/${threads}`;
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    if (this.#sessions.size >= CAPACITY) {
      const [oldest, session] = this.#sessions.entries().next().value as [string, NativeSession];
      this.#sessions.delete(oldest);
      session.dispose();
    }
    const session = createSession(onnxModel(model()), { threads, ...options });
    this.#sessions.set(key, session);
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
