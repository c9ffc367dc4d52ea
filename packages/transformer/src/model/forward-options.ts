// What a forward pass is asked for and what it returns.
import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { CapturedTensor, HookName } from '../hooks/hook-name.ts';

export interface ForwardOptions {
  /** Points to keep. A pass stops after the last point asked for when `logits` is 'none'. */
  readonly capture?: readonly HookName[];
  /** Keep only these positions of captured per-position points (row coordinates, negatives allowed). */
  readonly capturePositions?: readonly number[];
  /** 'last': logits of each row's last token (default); 'all': of every token; 'none'. */
  readonly logits?: 'last' | 'all' | 'none';
  /** First block to run: the rows' `tokens` still give lengths and positions, `residuals` gives the input. */
  readonly startAtLayer?: number;
  readonly residuals?: readonly Tensor2D[];
  readonly signal?: AbortSignal;
}

/** Owns its tensors: call `dispose()` or bind it with `using`. Everything is per row and free of padding. */
export interface ForwardResult extends Disposable {
  /** Per row: [1, V] for logits 'last', [p, V] for 'all'. Throws when logits were not asked for. */
  logits(row: number): Tensor2D;
  /** Per row: [p, D], [p, h, e], [h, q, k], ... (the batch axis is dropped). Throws on a point not captured. */
  captured<N extends HookName>(row: number, name: N): CapturedTensor<N>;
  /** The stacked [rows, V] last-token logits, without a copy; only for logits 'last'. */
  lastLogits(): Tensor2D;
  readonly rows: number;
  dispose(): void;
}
