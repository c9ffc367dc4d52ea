// The state of one forward pass: its plan, token layout, memoised tables, captures and pending cache updates.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { Adapter } from '../adapters/adapter.ts';
import type { Chunk, Segment } from '../cache/chunk.ts';
import type { ModelConfig } from '../config/model-config.ts';
import type { WeightName } from '../config/weight-name.ts';
import { applyEdits } from '../hooks/apply-edits.ts';
import type { HookName } from '../hooks/hook-name.ts';
import type { MatrixFrame } from '../hooks/matrix-rows.ts';
import { identityOf, type Plan } from '../hooks/plan.ts';
import type { KeyVisibility } from '../ops/key-visibility.ts';
import type { TokenDelta } from '../ops/linear.ts';
import type { NormParts } from '../ops/norm.ts';
import { type CapturedPoint, capturePoint } from './captured-point.ts';
import { type Layout, layoutOf, refine } from './layout.ts';
import type { PreparedRow } from './prepared-row.ts';

export interface PassSetup {
  readonly config: ModelConfig;
  readonly rows: readonly PreparedRow[];
  readonly plan: Plan;
  readonly weight: (name: WeightName) => tf.Tensor | undefined;
  readonly capturePositions: readonly number[] | undefined;
  /** False when each row must have tensors of its own, for per-row gradients. */
  readonly share: boolean;
  /** Where attention pads shorter rows. Results do not depend on it; tests prove that. */
  readonly side: 'left' | 'right';
  /** True under a gradient tape: nothing the tape may need is disposed early. */
  readonly taped: boolean;
  /** Keys to hide beyond the causal mask. */
  readonly visibility?: KeyVisibility;
  /** Weights that a gradient is taken for; others are constants of the pass. */
  readonly trained?: ReadonlySet<WeightName>;
  /** Tokens of the layout whose logits are wanted, for logits 'all'; all of them when absent. */
  readonly logitTokens?: Int32Array;
  /** Passes a probed activation on, noting its gradient. */
  readonly probe?: (name: HookName, x: tf.Tensor) => tf.Tensor;
}

export class Pass {
  readonly config: ModelConfig;
  readonly rows: readonly PreparedRow[];
  readonly plan: Plan;
  readonly side: 'left' | 'right';
  readonly taped: boolean;
  readonly logitTokens: Int32Array | undefined;
  readonly captured: Map<HookName, CapturedPoint> = new Map();
  /** For each row with a cache, its segments of every layer once the pass is done. */
  readonly updates: Map<number, (readonly Segment[])[]> = new Map();
  layout: Layout;
  readonly #setup: PassSetup;
  readonly #adapters: ReadonlySet<Adapter>;
  readonly #kept: tf.Tensor[] = [];
  readonly #loose: tf.Tensor[] = [];
  readonly #chunks: Chunk[] = [];
  readonly #memo = new Map<string, tf.Tensor | undefined>();

  constructor(setup: PassSetup) {
    this.#setup = setup;
    this.config = setup.config;
    this.rows = setup.rows;
    this.plan = setup.plan;
    this.side = setup.side;
    this.taped = setup.taped;
    this.#adapters = new Set(setup.rows.flatMap((row) => row.adapters));
    this.logitTokens = setup.logitTokens;
    this.layout = this.#initialLayout();
  }

  /** A weight that must exist. */
  weight<T extends tf.Tensor>(name: WeightName): T {
    const tensor = this.#setup.weight(name);
    if (tensor === undefined) {
      throw new SafeInferError(`the model has no weight '${name}'`, {
        code: 'BAD_WEIGHTS',
        hint: 'load every weight that weightShapes(config) lists',
      });
    }
    return tensor as T;
  }

  /** A weight that may be absent, such as a bias. */
  optional<T extends tf.Tensor>(name: WeightName): T | undefined {
    return this.#setup.weight(name) as T | undefined;
  }

  /** Which earlier keys a token of a stream sees in the layer, when not all of them. */
  visibleAt(layer: number): ((stream: number, query: number, key: number) => boolean) | undefined {
    const { visibility } = this.#setup;
    if (visibility === undefined || visibility.layers?.(layer) === false) return undefined;
    const { streams } = this.layout;
    return (stream, query, key) =>
      visibility.visible(streams[stream]?.rows[0] as number, query, key);
  }

  /** True for a weight whose gradient may be asked for. */
  trains(name: WeightName): boolean {
    return this.#setup.trained?.has(name) ?? false;
  }

  normParts(
    name: 'ln_final' | `blocks.${number}.${'ln1' | 'ln2' | 'ln1_post' | 'ln2_post'}`,
  ): NormParts {
    const { kind, eps, gainOffset } = this.config.norm;
    return { w: this.weight(`${name}.w`), b: this.optional(`${name}.b`), kind, eps, gainOffset };
  }

  // --- points ---

  /** True when somebody reads or edits the point in this pass. */
  touches(name: HookName): boolean {
    const { captures, edits, probes } = this.plan;
    return captures.has(name) || edits.has(name) || probes.has(name);
  }

  /**
   * Passes an activation through a point: edits it, notes it, returns what computation goes on with, which
   * is `x` itself when nothing changed it. `frame` is given for attention matrices.
   */
  at<T extends tf.Tensor>(name: HookName, x: T, frame?: MatrixFrame): T {
    const { plan, layout } = this;
    let y: tf.Tensor = x;
    const edits = plan.edits.get(name);
    if (edits !== undefined) {
      const layer = plan.parsed.get(name)?.layer;
      y = applyEdits(y, { name, layer, edits, layout, rows: this.rows, frame });
    }
    if (plan.probes.has(name) && this.#setup.probe !== undefined) y = this.#setup.probe(name, y);
    if (plan.captures.has(name)) {
      const positions = this.#setup.capturePositions;
      this.captured.set(
        name,
        capturePoint({ name, x: y, layout, frame, positions, keep: this.keep }),
      );
    }
    return y as T;
  }

  // --- tensors that outlive a block ---

  /**
   * Lets a tensor outlive its block: until the result is disposed or, under a tape, until the caller's
   * scope ends (a tape needs the tensor itself, not a kept copy).
   */
  readonly keep = <T extends tf.Tensor>(x: T): T => {
    if (this.taped) {
      this.#loose.push(x);
      return x;
    }
    const kept = tf.keep(x.clone()) as T;
    this.#kept.push(kept);
    return kept;
  };

  /** Runs one part of the model in a tidy of its own. */
  scoped<T extends tf.Tensor | Record<string, tf.Tensor | undefined>>(part: () => T): T {
    if (!this.taped) return tf.tidy(part);
    // What was captured leaves the tidy beside the result.
    const { value } = tf.tidy(() => {
      const value = part();
      return { value, loose: this.#loose.splice(0) };
    });
    return value;
  }

  /** A table made once per pass and layout. */
  memo<T extends tf.Tensor | undefined>(key: string, make: () => T): T {
    const full = `${identityOf(this.layout)}:${key}`;
    if (this.#memo.has(full)) return this.#memo.get(full) as T;
    const made = make();
    if (made !== undefined) {
      tf.keep(made);
    }
    this.#memo.set(full, made);
    return made;
  }

  /** Owns a new chunk until the pass ends. */
  readonly hold = (chunk: Chunk): void => {
    chunk.retain();
    this.#chunks.push(chunk);
  };

  /** Extends the rows' caches: called once, when everything has succeeded. */
  commit(): void {
    for (const [row, layers] of this.updates) {
      const { cache, tokens } = this.rows[row] as PreparedRow;
      cache?.replace(layers, tokens.length);
    }
  }

  /** Frees tables and unreferenced chunks; with `results`, captured and returned tensors too. */
  end(options: { readonly results: boolean }): void {
    for (const tensor of this.#memo.values()) tensor?.dispose();
    this.#memo.clear();
    for (const chunk of this.#chunks) chunk.release();
    this.#chunks.length = 0;
    if (!options.results) return;
    for (const tensor of this.#kept) tensor.dispose();
    this.#kept.length = 0;
  }

  /** Tensors kept for the result. */
  get kept(): readonly tf.Tensor[] {
    return this.#kept;
  }

  // --- adapters ---

  /** True when some row carries an adapter. */
  get adapted(): boolean {
    return this.#adapters.size > 0;
  }

  /** Changes of a weight that the rows' adapters make, per token. */
  deltas(name: WeightName): TokenDelta[] {
    const deltas: TokenDelta[] = [];
    for (const adapter of this.#adapters) {
      const delta = adapter.deltas.get(name);
      if (delta === undefined || delta.scale === 0) continue;
      const counts = this.layout.streams.map(
        (stream) => this.#row(stream.rows[0]).adapters.filter((own) => own === adapter).length,
      );
      if (counts.every((count) => count === 0)) continue;
      if (counts.every((count) => count === counts[0])) {
        deltas.push({ ...delta, scale: delta.scale * (counts[0] as number) });
        continue;
      }
      const column = this.memo(`adapter${identityOf(adapter)}*${delta.scale}`, () =>
        tf.tensor2d(
          this.layout.streams.flatMap((stream, s) =>
            new Array<number>(stream.length).fill((counts[s] as number) * delta.scale),
          ),
          [this.layout.tokens, 1],
        ),
      );
      deltas.push({ ...delta, scale: column });
    }
    return deltas;
  }

  // --- streams ---

  /** Splits streams whose rows differ from this step on; returns `state` in the new layout. */
  diverge<T extends Record<string, tf.Tensor | undefined>>(step: number, state: T): T {
    const { layout, from } = refine(this.layout, (row) => this.#stepKey(row, step));
    if (from === undefined) return state;
    this.layout = layout;
    return tf.tidy(() => {
      const index = tf.tensor1d(from, 'int32');
      return Object.fromEntries(
        Object.entries(state).map(([key, x]) => [key, x && tf.gather(x, index)]),
      ) as T;
    });
  }

  #initialLayout(): Layout {
    const { rows, plan, share } = this.#setup;
    const groups = new Map<string, number[]>();
    for (const row of rows) {
      const residual = row.residual === undefined ? '' : identityOf(row.residual);
      const key = share
        ? `${row.first}|${residual}|${row.cache === undefined}|${plan.editKey(row.index, 0)}|` +
          `${adapterKey(row.adapters, 0)}|${row.tokens.join(',')}`
        : String(row.index);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [row.index]);
      else group.push(row.index);
    }
    return layoutOf(
      [...groups.values()].map((indices) => {
        const { tokens, first, cache } = rows[indices[0] as number] as PreparedRow;
        return { rows: indices, length: tokens.length, first, complete: cache === undefined };
      }),
      rows.length,
    );
  }

  #stepKey(index: number, step: number): string {
    const row = this.#row(index);
    const output = step === 1 + 2 * this.config.nLayers;
    let key = `${this.plan.editKey(index, step)}|${adapterKey(row.adapters, output ? -1 : step)}`;
    const layer = (step - 1) / 2;
    if (row.cache !== undefined && Number.isInteger(layer) && layer < this.config.nLayers) {
      const segments = row.cache.segments(layer);
      key += `|${segments.map((segment) => `${identityOf(segment.chunk)}.${segment.row}`).join()}`;
    }
    return key;
  }

  #row(index: number | undefined): PreparedRow {
    return this.rows[index as number] as PreparedRow;
  }
}

const touchedSteps = new WeakMap<Adapter, ReadonlySet<number>>();

/** Adapters that change a weight of the step, as a text. */
function adapterKey(adapters: readonly Adapter[], step: number): string {
  return adapters
    .filter((adapter) => stepsOf(adapter).has(step))
    .map(identityOf)
    .join();
}

/** Steps whose weights the adapter changes; -1 stands for the output, after every block. */
function stepsOf(adapter: Adapter): ReadonlySet<number> {
  let steps = touchedSteps.get(adapter);
  if (steps === undefined) {
    steps = new Set([...adapter.deltas.keys()].map(stepOfWeight));
    touchedSteps.set(adapter, steps);
  }
  return steps;
}

function stepOfWeight(name: WeightName): number {
  const match = /^blocks\.(\d+)\.(attn|mlp)/.exec(name);
  if (match !== null) return 1 + 2 * Number(match[1]) + (match[2] === 'mlp' ? 1 : 0);
  return name.startsWith('unembed') ? -1 : 0;
}
