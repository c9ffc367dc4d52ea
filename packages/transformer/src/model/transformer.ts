// A decoder-only transformer whose every activation can be read, edited and differentiated.
import { SafeInferError } from '@safeinfer/backend';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Adapter } from '../adapters/adapter.ts';
import { checkAdapter } from '../adapters/check-adapter.ts';
import { RowCache } from '../cache/row-cache.ts';
import type { ModelConfig } from '../config/model-config.ts';
import type { WeightName } from '../config/weight-name.ts';
import { type GenerateEvent, type GenerateOptions, generate } from '../generate/generate.ts';
import { type GradientOptions, type Gradients, gradients } from '../gradients/gradients.ts';
import { checkHookName, reasonAgainst } from '../hooks/check-hook-name.ts';
import type { HookName } from '../hooks/hook-name.ts';
import { hookNames, type PointInfo } from '../hooks/points.ts';
import { WeightStore } from '../weights/weight-store.ts';
import { type ForwardSources, forward } from './forward.ts';
import type { ForwardOptions, ForwardResult } from './forward-options.ts';
import type { Row } from './row.ts';
import type { TextCodec } from './text-codec.ts';
import { type Trace, type TraceOptions, trace } from './trace.ts';

export interface TransformerParts<T extends TextCodec> {
  readonly config: ModelConfig;
  /** All weights that `weightShapes(config)` lists, float32, matrices [in, out]. The model takes ownership. */
  readonly weights: ReadonlyMap<WeightName, Tensor>;
  readonly tokenizer?: T | undefined;
}

/** Owns its weights: call `dispose()` or bind it with `using`. */
export class Transformer<T extends TextCodec = TextCodec> implements Disposable {
  readonly config: ModelConfig;
  readonly tokenizer: T | undefined;
  readonly #store: WeightStore;
  readonly #adapters = new Map<string, Adapter>();
  #version = 0;
  #disposed = false;

  /** Throws BAD_WEIGHTS, naming what is missing, unexpected or misshapen; ownership then stays with the caller. */
  constructor(parts: TransformerParts<T>) {
    this.config = parts.config;
    this.tokenizer = parts.tokenizer;
    this.#store = new WeightStore(parts.config, parts.weights);
  }

  /** Weights by canonical name; read-only: change them with `setWeight` or `withWeights`. */
  get weights(): ReadonlyMap<WeightName, Tensor> {
    this.#check();
    return this.#store.tensors;
  }

  /** Counts changes of weights, for whoever caches what depends on them. */
  get version(): number {
    return this.#version;
  }

  /** Every hook point of this architecture, in order of computation. */
  points(): HookName[] {
    return hookNames(this.config);
  }

  /** What a point is: its axes and meaning. Throws UNKNOWN_HOOK, with the reason and the nearest names. */
  point(name: string): PointInfo {
    return checkHookName(name, this.config).info;
  }

  /** Why the model has no such point, in one clause; undefined when it has it. */
  reason(name: string): string | undefined {
    return reasonAgainst(name, this.config);
  }

  /**
   * Runs rows through the model in one batch. Synchronous: it builds results, reading their numbers is the
   * caller's asynchronous step. Rows may differ in length, adapters, interventions and caches; a row's result
   * is the same as when it runs alone. Rows that agree up to some layer are computed once up to it. Caches are
   * extended only when the pass succeeds.
   *
   * Throws UNKNOWN_HOOK, HOOK_RESULT, BAD_ARGUMENT, CONTEXT_OVERFLOW, ABORTED or DISPOSED and leaks nothing.
   */
  forward(rows: readonly Row[], options: ForwardOptions = {}): ForwardResult {
    return forward(this.#sources(), rows, options);
  }

  /**
   * Prefills the rows and decodes them together, one event per row and step. Greedy unless `choose` says
   * otherwise. Rows end on their own; the others go on over their caches. Caches given with rows are
   * extended and stay the caller's; others are freed when the generator ends, is left, or throws.
   *
   * Throws what `forward` throws, ABORTED, and NON_FINITE naming the layer that made a NaN.
   */
  generate(
    rows: readonly Row[],
    options: GenerateOptions,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    this.#check();
    return generate(this, rows, options);
  }

  /**
   * A forward pass as part of the caller's computation: differentiable with respect to `weights` and
   * `adapters` given here, so call it inside `tf.grads` or `tf.variableGrads`. Its tensors belong to that
   * scope. Caches are read, never extended.
   */
  trace(options: TraceOptions): Trace {
    return trace(this.#sources(), options);
  }

  /**
   * Differentiates a scalar with respect to activations at any points, per row, in one backward pass.
   * Throws as `forward` does.
   */
  gradients(options: GradientOptions): Gradients {
    return gradients(this.#sources(), options);
  }

  /** An empty cache for one row of this model. */
  createCache(): RowCache {
    return new RowCache(this.config.nLayers);
  }

  // --- adapters ---

  get adapters(): ReadonlyMap<string, Adapter> {
    return this.#adapters;
  }

  /** Makes an adapter available to rows by name. Its tensors stay the caller's. Throws BAD_ARGUMENT. */
  addAdapter(name: string, adapter: Adapter): void {
    this.#check();
    if (this.#adapters.has(name)) {
      throw new SafeInferError(`an adapter '${name}' is loaded already`, {
        code: 'BAD_ARGUMENT',
        hint: 'remove it first, or use another name',
      });
    }
    checkAdapter(name, adapter, this.config);
    this.#adapters.set(name, adapter);
  }

  /** Returns the adapter, or undefined when there was none of that name. Disposes nothing. */
  removeAdapter(name: string): Adapter | undefined {
    const adapter = this.#adapters.get(name);
    this.#adapters.delete(name);
    return adapter;
  }

  // --- weights ---

  /** A new model with some weights replaced; it shares all others and takes ownership of the new ones. */
  withWeights(
    changes: ReadonlyMap<WeightName, Tensor>,
    config: ModelConfig = this.config,
  ): Transformer<T> {
    this.#check();
    const weights = new Map([...this.#store.tensors, ...changes]);
    return new Transformer({ config, weights, tokenizer: this.tokenizer });
  }

  /** Replaces a weight in place and takes ownership of the new tensor; the old one is freed unless shared. */
  setWeight(name: WeightName, tensor: Tensor): void {
    this.#check();
    this.#store.set(name, tensor);
    this.#version++;
  }

  /** Frees the weights that no other model shares. Adapters stay their owners'. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#store.dispose();
    this.#adapters.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #sources(): ForwardSources {
    this.#check();
    const { tokenizer } = this;
    return {
      config: this.config,
      adapters: this.#adapters,
      encode: tokenizer && ((text) => tokenizer.encode(text)),
      weight: (name) => this.#store.get(name),
    };
  }

  #check(): void {
    if (!this.#disposed) return;
    throw new SafeInferError('this model was disposed', {
      code: 'DISPOSED',
      hint: 'load it again, or dispose it later',
    });
  }
}
