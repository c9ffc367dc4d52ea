// Ownership of tensors across awaits: what is not returned is disposed, whatever happens.
import * as tf from '@tensorflow/tfjs-core';

/** Owns tensors until disposed; `tf.tidy` cannot span an await, this can. */
export class TensorScope implements Disposable {
  readonly #owned = new Set<tf.Tensor>();

  /** Takes ownership of every tensor in `value` and returns it. */
  own<T>(value: T): T {
    for (const tensor of tensorsIn(value)) this.#owned.add(tensor);
    return value;
  }

  /** Gives up ownership: the caller disposes. */
  release<T>(value: T): T {
    for (const tensor of tensorsIn(value)) this.#owned.delete(tensor);
    return value;
  }

  /** Disposes what is owned now; a tensor already disposed is left alone. */
  [Symbol.dispose](): void {
    for (const tensor of this.#owned) tensor.dispose();
    this.#owned.clear();
  }
}

/**
 * Runs `fn` and disposes everything its scope owns, except tensors reachable from the result. When
 * `fn` throws or rejects, everything is disposed. Tensors made by synchronous code in `fn` are owned
 * automatically only when `fn` is synchronous; across awaits, pass them through `scope.own`.
 */
export function withTensors<T>(fn: (scope: TensorScope) => Promise<T>): Promise<T>;
export function withTensors<T>(fn: (scope: TensorScope) => T): T;
export function withTensors<T>(fn: (scope: TensorScope) => T | Promise<T>): T | Promise<T> {
  const scope = new TensorScope();
  const { result, made } = collect(fn, scope);
  if (!(result instanceof Promise)) {
    scope.own(made);
    return keepOnly(scope, result);
  }
  return result.then(
    (value) => keepOnly(scope, value),
    (error: unknown) => {
      scope[Symbol.dispose]();
      throw error;
    },
  );
}

/** Disposes everything `scope` owns except the tensors reachable from `value`, which it returns. */
export function keepOnly<T>(scope: TensorScope, value: T): T {
  scope.release(value);
  scope[Symbol.dispose]();
  return value;
}

/** Every distinct tensor reachable through arrays, plain objects, maps and sets. */
export function tensorsIn(value: unknown): tf.Tensor[] {
  const found = new Set<tf.Tensor>();
  const seen = new Set<object>();
  const visit = (item: unknown): void => {
    if (typeof item !== 'object' || item === null || seen.has(item) || ArrayBuffer.isView(item)) {
      return;
    }
    seen.add(item);
    if (item instanceof tf.Tensor) {
      found.add(item);
    } else if (item instanceof Map || Array.isArray(item) || item instanceof Set) {
      for (const child of item.values()) visit(child);
    } else {
      for (const child of Object.values(item)) visit(child);
    }
  };
  visit(value);
  return [...found];
}

/** Runs `fn` in an engine scope, so that a synchronous throw frees what it made. */
function collect<T>(
  fn: (scope: TensorScope) => T | Promise<T>,
  scope: TensorScope,
): { result: T | Promise<T>; made: tf.Tensor[] } {
  let result: T | Promise<T>;
  tf.engine().startScope('withTensors');
  try {
    result = fn(scope);
  } catch (error) {
    tf.engine().endScope();
    scope[Symbol.dispose]();
    throw error;
  }
  // Tensors of an asynchronous function's first segment may still be in use: they leave the engine's scope.
  const made = [...tf.engine().state.activeScope.track];
  tf.engine().state.activeScope.track.length = 0;
  tf.engine().endScope();
  return { result, made };
}
