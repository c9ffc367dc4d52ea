// How likely a model finds given continuations: the measurement under every edit metric.
import type { Row, Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';

export interface TargetItem {
  readonly prompt: readonly number[];
  readonly target: readonly number[];
}

export interface TargetScore {
  /** Mean over the target's tokens of -log p(token | prompt, earlier target tokens). */
  readonly nll: number;
  /** Per token: whether it is the argmax under teacher forcing. */
  readonly hits: readonly boolean[];
  /** The argmax at each of the target's positions. */
  readonly predicted: readonly number[];
}

export interface ScoreOptions {
  /** Adapter(s) of every row, for edits on a side path. */
  readonly adapter?: string | readonly string[];
  /** Rows of one pass. Default 32. */
  readonly rowsPerPass?: number;
  readonly signal?: AbortSignal;
}

/** Scores in the order of the items; log-softmax in float64. */
export async function scoreTargets(
  model: Transformer,
  items: readonly TargetItem[],
  options: ScoreOptions = {},
): Promise<TargetScore[]> {
  const { adapter, rowsPerPass = 32, signal } = options;
  const { vocabSize } = model.config;
  const scores: TargetScore[] = [];
  for (let start = 0; start < items.length; start += rowsPerPass) {
    const part = items.slice(start, start + rowsPerPass);
    const rows = part.map(
      ({ prompt, target }): Row => ({
        tokens: [...prompt, ...target.slice(0, -1)],
        ...(adapter === undefined ? {} : { adapter }),
      }),
    );
    using result = model.forward(rows, { logits: 'all', ...(signal ? { signal } : {}) });
    for (const [row, { prompt, target }] of part.entries()) {
      const slice = tf.slice(
        result.logits(row),
        [prompt.length - 1, 0],
        [target.length, vocabSize],
      );
      const logits = await slice.data();
      slice.dispose();
      scores.push(scoreRow(logits as Float32Array, target, vocabSize));
    }
  }
  return scores;
}

function scoreRow(logits: Float32Array, target: readonly number[], width: number): TargetScore {
  let sum = 0;
  const predicted = target.map((token, t) => {
    const line = logits.subarray(t * width, (t + 1) * width);
    let best = 0;
    for (let v = 1; v < width; v += 1) if (line[v]! > line[best]!) best = v;
    let total = 0;
    for (let v = 0; v < width; v += 1) total += Math.exp(line[v]! - line[best]!);
    sum += Math.log(total) - (line[token]! - line[best]!);
    return best;
  });
  return { nll: sum / target.length, hits: target.map((t, i) => t === predicted[i]), predicted };
}

export interface PerplexityOptions extends ScoreOptions {
  /** `usual` divides by N - 1 predictions; `rome` by N tokens, as the reference's essence score does. */
  readonly divisor?: 'usual' | 'rome';
  /** Texts are cut to so many tokens. Default 512. */
  readonly maxLength?: number;
}

/** Perplexity of each text (token ids), over the predictions of its second to last token. */
export async function perplexities(
  model: Transformer,
  texts: readonly (readonly number[])[],
  options: PerplexityOptions = {},
): Promise<number[]> {
  const { divisor = 'usual', maxLength = 512 } = options;
  const cut = texts.map((ids) => ids.slice(0, maxLength));
  const items = cut.map((ids) => ({ prompt: ids.slice(0, 1), target: ids.slice(1) }));
  const scorable = items.filter(({ target }) => target.length > 0);
  const scores = (await scoreTargets(model, scorable, options)).values();
  return items.map(({ target }) => {
    if (target.length === 0) return Number.NaN;
    const total = scores.next().value!.nll * target.length;
    return Math.exp(total / (divisor === 'rome' ? target.length + 1 : target.length));
  });
}

/** Of perplexities. One that is infinite or NaN, a broken model's, makes the mean so: it must not hide. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);
}
