// What a forward pass returns: logits and captures of each row, owned until disposed.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { CapturedTensor, HookName } from '../hooks/hook-name.ts';
import { type CapturedPoint, rowPart } from './captured-point.ts';
import type { ForwardResult } from './forward-options.ts';
import type { Layout } from './layout.ts';

interface ResultParts {
  /** 'last': [S, V]; 'all': [N, V]. */
  readonly logits: tf.Tensor2D | undefined;
  readonly kind: 'last' | 'all' | 'none';
  readonly layout: Layout;
  readonly captured: ReadonlyMap<HookName, CapturedPoint>;
  /** Every tensor the result owns from the start. */
  readonly owned: readonly tf.Tensor[];
}

export class PassResult implements ForwardResult {
  readonly #parts: ResultParts;
  readonly #owned: tf.Tensor[];
  readonly #views = new Map<string, tf.Tensor>();
  #disposed = false;

  constructor(parts: ResultParts) {
    this.#parts = parts;
    this.#owned = [...parts.owned];
  }

  get rows(): number {
    return this.#parts.layout.streamOf.length;
  }

  logits(row: number): tf.Tensor2D {
    const { kind, layout } = this.#parts;
    const all = this.#logits();
    const s = this.#stream(row);
    const { start, length } = layout.streams[s] as Layout['streams'][number];
    return this.#view(`logits ${s}`, () =>
      kind === 'last' ? tf.slice(all, [s, 0], [1, -1]) : tf.slice(all, [start, 0], [length, -1]),
    );
  }

  lastLogits(): tf.Tensor2D {
    const { kind, layout } = this.#parts;
    const all = this.#logits();
    if (kind !== 'last') {
      throw new SafeInferError(`this pass kept logits '${kind}', not 'last'`, {
        code: 'BAD_ARGUMENT',
        hint: "call forward with logits 'last'",
      });
    }
    // Rows are the streams, in order, unless some were computed together.
    if (layout.streams.length === layout.streamOf.length) return all;
    return this.#view('last', () =>
      tf.tidy(() => tf.gather(all, tf.tensor1d([...layout.streamOf], 'int32'))),
    );
  }

  captured<N extends HookName>(row: number, name: N): CapturedTensor<N> {
    this.#check();
    const point = this.#parts.captured.get(name);
    if (point === undefined) {
      const names = [...this.#parts.captured.keys()].join(', ') || 'nothing';
      throw new SafeInferError(`'${name}' was not captured; this pass kept ${names}`, {
        code: 'UNKNOWN_HOOK',
        hint: 'name it in `capture`',
      });
    }
    this.#stream(row);
    return this.#view(`${point.layout.streamOf[row]} ${name}`, () =>
      rowPart(point, row),
    ) as CapturedTensor<N>;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const tensor of this.#owned) tensor.dispose();
    this.#owned.length = 0;
    this.#views.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A part made on first use and owned by this result, also when asked for inside a caller's tidy. */
  #view<T extends tf.Tensor>(key: string, make: () => T): T {
    let view = this.#views.get(key) as T | undefined;
    if (view === undefined) {
      view = tf.keep(make());
      this.#views.set(key, view);
      this.#owned.push(view);
    }
    return view;
  }

  #logits(): tf.Tensor2D {
    this.#check();
    if (this.#parts.logits !== undefined) return this.#parts.logits;
    throw new SafeInferError("this pass ran with logits 'none'", {
      code: 'BAD_ARGUMENT',
      hint: "call forward with logits 'last' or 'all'",
    });
  }

  #stream(row: number): number {
    const stream = this.#parts.layout.streamOf[row];
    if (stream !== undefined) return stream;
    throw new SafeInferError(`row ${row} does not exist: the pass had ${this.rows} rows`, {
      code: 'BAD_ARGUMENT',
      hint: 'rows count from 0 in the order they were passed',
    });
  }

  #check(): void {
    if (!this.#disposed) return;
    throw new SafeInferError('this result was disposed', {
      code: 'DISPOSED',
      hint: 'clone tensors that must outlive the result',
    });
  }
}
