// Causal tracing: which single restored state brings the answer of a corrupted run back (Meng et al. 2022, section 2).
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { HookName, Intervention, Row, Transformer } from '@safeinfer/transformer';
import { encode } from '../request/lookup-index.ts';
import { tokenTable } from '../request/token-table.ts';
import { RandomState } from './random-state.ts';
import { subjectSpan } from './subject-span.ts';

/** `state`: the output of one block. `mlp`, `attn`: a window of module outputs. */
export type TraceKind = 'state' | 'mlp' | 'attn';

export interface CausalTraceOptions {
  readonly model: Transformer;
  /** Text or token ids. */
  readonly prompt: string | readonly number[];
  /** The subject as written in the prompt, or its token span [begin, end). */
  readonly subject: string | readonly [begin: number, end: number];
  /** Default `state`. */
  readonly kind?: TraceKind;
  /** Layers restored together, for `mlp` and `attn`. Default 10, as published. */
  readonly window?: number;
  /** Freeze later outputs of this module at the restored token to their corrupted values (severed path). */
  readonly sever?: 'mlp' | 'attn';
  /** Standard deviation of the noise on the subject's token embeddings: see `embeddingNoise`. */
  readonly sigma: number;
  /** Corrupted copies. Default 10. */
  readonly samples?: number;
  /** Seed of numpy's RandomState. Default 1, as published; every cell has the same noise. */
  readonly seed?: number;
  /** The object a correct model answers; `correctPrediction` says whether it does. */
  readonly expect?: string;
  /** Rows of one pass. Default 80. */
  readonly rowsPerPass?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface CausalTrace {
  readonly kind: TraceKind;
  readonly window: number;
  readonly severed?: 'mlp' | 'attn';
  readonly tokens: readonly { readonly id: number; readonly text: string }[];
  /** Token span [begin, end) of the subject. */
  readonly span: readonly [begin: number, end: number];
  readonly answer: { readonly id: number; readonly text: string };
  /** Only with `expect`. */
  readonly correctPrediction?: boolean;
  /** p(answer) of the clean run. */
  readonly highScore: number;
  /** Mean p(answer) of the corrupted runs. */
  readonly lowScore: number;
  /** [token][layer]: mean p(answer) with that place restored. */
  readonly scores: readonly (readonly number[])[];
  readonly sigma: number;
  readonly samples: number;
  readonly seed: number;
}

/** Layers restored around `layer`: [max(0, l - floor(w/2)), min(L, l + ceil(w/2))). */
export function traceWindow(layer: number, width: number, layers: number): readonly number[] {
  const first = Math.max(0, layer - Math.floor(width / 2));
  const end = Math.min(layers, layer + Math.ceil(width / 2));
  return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
}

/**
 * Every cell of the table as rows of batched passes (reference: experiments/causal_trace.py). Nothing of the model is
 * changed.
 * @throws BAD_ARGUMENT, BAD_TOKENIZER, NON_FINITE, ABORTED
 */
export async function causalTrace(options: CausalTraceOptions): Promise<CausalTrace> {
  const { model, prompt, kind = 'state', sever, sigma, samples = 10, seed = 1 } = options;
  const { rowsPerPass = 80, signal } = options;
  const { nLayers } = model.config;
  const width = kind === 'state' ? 1 : (options.window ?? 10);
  const tokens = typeof prompt === 'string' ? encode(model, prompt) : [...prompt];
  const span =
    typeof options.subject === 'string'
      ? subjectSpan(model, tokens, options.subject)
      : options.subject;
  check({ ...options, samples, seed, window: width, rowsPerPass, span, length: tokens.length });
  throwIfAborted(signal);

  const clean = await captureClean(model, tokens, kind);
  const corruption = corruptions({ ...clean, span, sigma, samples, seed, model });
  const corrupted = (extra: readonly Intervention[] = []): Row[] =>
    corruption.map((intervention) => ({ tokens, interventions: [intervention, ...extra] }));
  const run = async (rows: readonly Row[]): Promise<number[]> =>
    await probabilities(model, rows, clean.answer, signal);

  const low = mean(await run(corrupted()));
  const frozen = sever && (await captureCorrupted(model, corrupted(), sever));
  const cells = tokens.flatMap((_, token) =>
    Array.from({ length: nLayers }, (_unused, layer) => ({ token, layer })),
  );
  const scores = tokens.map(() => new Array<number>(nLayers).fill(0));
  const perPass = Math.max(1, Math.floor(rowsPerPass / samples));
  for (let start = 0; start < cells.length; start += perPass) {
    throwIfAborted(signal);
    const part = cells.slice(start, start + perPass);
    const rows = part.flatMap(({ token, layer }) => {
      const restored = restore(clean, token, traceWindow(layer, width, nLayers));
      return corrupted(restored).map((row, sample) => ({
        ...row,
        interventions: [
          ...row.interventions!,
          ...(frozen ? freeze(frozen, { token, layer, sample }) : []),
        ],
      }));
    });
    const found = await run(rows);
    for (const [c, { token, layer }] of part.entries())
      scores[token]![layer] = mean(found.slice(c * samples, (c + 1) * samples));
    options.onProgress?.({ done: start + part.length, total: cells.length });
  }
  const text = model.tokenizer?.decode([clean.answer]) ?? '';
  return {
    kind,
    window: width,
    ...(sever ? { severed: sever } : {}),
    tokens: tokenTable(model, tokens).map(({ id, text: piece }) => ({ id, text: piece })),
    span,
    answer: { id: clean.answer, text },
    ...(options.expect === undefined
      ? {}
      : { correctPrediction: options.expect.trim().startsWith(text.trim()) && text.trim() !== '' }),
    highScore: clean.high,
    lowScore: low,
    scores,
    sigma,
    samples,
    seed,
  };
}

/**
 * The reference's noise: `times` (3) x the unbiased standard deviation over all entries of the subjects' token
 * embeddings. Fixed values its authors use: gpt2-xl 0.1, gpt-j 0.025, neox 0.03.
 */
export async function embeddingNoise(options: {
  readonly model: Transformer;
  readonly subjects: readonly (string | readonly number[])[];
  readonly times?: number;
}): Promise<number> {
  const { model, subjects, times = 3 } = options;
  const rows = subjects.map((subject) => ({
    tokens:
      typeof subject === 'string'
        ? [...(model.tokenizer?.encode(subject, { addSpecialTokens: false }) ?? [])]
        : subject,
  }));
  let [count, sum, squares] = [0, 0, 0];
  using result = model.forward(rows, { capture: ['hook_embed'], logits: 'none' });
  for (const row of rows.keys()) {
    for (const x of await result.captured(row, 'hook_embed').data()) {
      count += 1;
      sum += x;
      squares += x * x;
    }
  }
  return times * Math.sqrt((squares - (sum * sum) / count) / (count - 1));
}

interface Clean {
  readonly answer: number;
  readonly high: number;
  /** [tokens, D] */
  readonly embedding: Float32Array;
  /** Where each layer is restored. */
  readonly points: readonly HookName[];
  /** Per layer, [tokens, D]: the outputs that are restored. */
  readonly outputs: readonly Float32Array[];
  readonly dModel: number;
}

/** The module's own output, before a post-norm, as the reference hooks it. */
function outputPoint(model: Transformer, kind: TraceKind, layer: number): HookName {
  if (kind === 'state') return `blocks.${layer}.hook_resid_post`;
  const raw = model.config.block.postNorm ? '_raw' : '';
  return `blocks.${layer}.hook_${kind}_out${raw}` as HookName;
}

async function captureClean(
  model: Transformer,
  tokens: readonly number[],
  kind: TraceKind,
): Promise<Clean> {
  const points = Array.from({ length: model.config.nLayers }, (_, layer) =>
    outputPoint(model, kind, layer),
  );
  using result = model.forward([{ tokens }], { capture: ['hook_embed', ...points] });
  const read = async (name: HookName): Promise<Float32Array> =>
    (await result.captured(0, name).data()) as Float32Array;
  const logits = (await result.logits(0).data()) as Float32Array;
  let answer = 0;
  for (let v = 1; v < logits.length; v += 1) if (logits[v]! > logits[answer]!) answer = v;
  const outputs: Float32Array[] = [];
  for (const point of points) outputs.push(await read(point));
  const high = probability(logits, answer);
  const embedding = await read('hook_embed');
  return { answer, high, embedding, points, outputs, dModel: model.config.dModel };
}

/** One patch a sample: the subject's embeddings plus that sample's noise. */
function corruptions(options: {
  readonly embedding: Float32Array;
  readonly span: readonly [number, number];
  readonly sigma: number;
  readonly samples: number;
  readonly seed: number;
  readonly dModel: number;
  readonly model: Transformer;
}): Intervention[] {
  const { embedding, span, sigma, samples, seed, dModel } = options;
  const [begin, end] = span;
  const size = (end - begin) * dModel;
  const noise = new RandomState(seed).randn(samples * size);
  const positions = Array.from({ length: end - begin }, (_, i) => begin + i);
  return Array.from({ length: samples }, (_, sample) => ({
    at: 'hook_embed',
    op: 'patch',
    positions,
    values: Float32Array.from(
      { length: size },
      (_unused, i) => embedding[begin * dModel + i]! + sigma * noise[sample * size + i]!,
    ),
  }));
}

function restore(
  { points, outputs, dModel }: Clean,
  token: number,
  layers: readonly number[],
): Intervention[] {
  return layers.map((layer) => ({
    at: points[layer]!,
    op: 'patch',
    positions: [token],
    values: outputs[layer]!.slice(token * dModel, (token + 1) * dModel),
  }));
}

/** [layer][sample]: outputs [tokens, D] of the corrupted runs. */
interface Frozen {
  readonly points: readonly HookName[];
  readonly outputs: readonly (readonly Float32Array[])[];
  readonly dModel: number;
}

async function captureCorrupted(
  model: Transformer,
  rows: readonly Row[],
  module: 'mlp' | 'attn',
): Promise<Frozen> {
  const points = Array.from({ length: model.config.nLayers }, (_, layer) =>
    outputPoint(model, module, layer),
  );
  using result = model.forward(rows, { capture: points, logits: 'none' });
  const outputs: Float32Array[][] = [];
  for (const point of points) {
    const samples: Float32Array[] = [];
    for (const row of rows.keys())
      samples.push((await result.captured(row, point).data()) as Float32Array);
    outputs.push(samples);
  }
  return { points, outputs, dModel: model.config.dModel };
}

/** Every layer behind the restored one keeps its corrupted module output at that token. */
function freeze(
  { points, outputs, dModel }: Frozen,
  at: { readonly token: number; readonly layer: number; readonly sample: number },
): Intervention[] {
  const { token, layer, sample } = at;
  return points.slice(layer + 1).map((point, i) => ({
    at: point,
    op: 'patch',
    positions: [token],
    values: outputs[layer + 1 + i]![sample]!.slice(token * dModel, (token + 1) * dModel),
  }));
}

async function probabilities(
  model: Transformer,
  rows: readonly Row[],
  answer: number,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  using result = model.forward(rows, signal ? { signal } : {});
  const logits = (await result.lastLogits().data()) as Float32Array;
  const { vocabSize } = model.config;
  return rows.map((_, row) =>
    probability(logits.subarray(row * vocabSize, (row + 1) * vocabSize), answer),
  );
}

/** Softmax in float64. */
function probability(logits: Float32Array, token: number): number {
  let best = Number.NEGATIVE_INFINITY;
  for (const x of logits) if (x > best) best = x;
  let total = 0;
  for (const x of logits) total += Math.exp(x - best);
  return Math.exp(logits[token]! - best) / total;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}

function check(options: {
  readonly kind?: TraceKind;
  readonly sever?: 'mlp' | 'attn';
  readonly sigma: number;
  readonly samples: number;
  readonly seed: number;
  readonly window: number;
  readonly rowsPerPass: number;
  readonly span: readonly [number, number];
  readonly length: number;
}): void {
  const { kind, sever, sigma, samples, seed, window, rowsPerPass, span, length } = options;
  const [begin, end] = span;
  const whole = (x: number, least: number): boolean => Number.isSafeInteger(x) && x >= least;
  const problem =
    (!(sigma > 0) || !Number.isFinite(sigma) ? `sigma is ${sigma}` : undefined) ??
    (![samples, window, rowsPerPass].every((x) => whole(x, 1))
      ? 'samples, window and rowsPerPass are whole numbers from 1'
      : undefined) ??
    (!whole(seed, 0) || seed > 0xffffffff ? `seed is ${seed}` : undefined) ??
    (!whole(begin, 0) || !whole(end, begin + 1) || end > length
      ? `the span [${begin}, ${end}) does not fit ${length} tokens`
      : undefined) ??
    (sever !== undefined && kind !== undefined && kind !== 'state'
      ? 'a severed path restores a state'
      : undefined);
  if (problem === undefined) return;
  throw new SafeInferError(`causal trace: ${problem}`, {
    code: 'BAD_ARGUMENT',
    hint: 'take sigma from embeddingNoise, and see the options of causalTrace',
  });
}
