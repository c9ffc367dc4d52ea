// Prefill and decode over rows: one event per row and step, caches managed, cancellable, with captures.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { RowCache } from '../cache/row-cache.ts';
import type { CapturedTensor, HookName } from '../hooks/hook-name.ts';
import type { ForwardResult } from '../model/forward-options.ts';
import type { Row } from '../model/row.ts';
import type { TextCodec } from '../model/text-codec.ts';
import type { Transformer } from '../model/transformer.ts';
import { nonFiniteError } from './find-non-finite.ts';
import { greedy } from './greedy.ts';

export interface ChoiceContext {
  /** The row's next-token logits [V]; valid until the call returns. */
  readonly logits: Float32Array;
  readonly row: number;
  /** 0 for the first generated token. */
  readonly step: number;
}

export interface GenerateOptions {
  readonly maxNewTokens: number;
  /** Tokens that end a row; default: the model's eosTokenIds. The stop token is given out, without text. */
  readonly stopTokens?: readonly number[];
  readonly signal?: AbortSignal;
  /** Activations of every pass, read through the event. */
  readonly capture?: readonly HookName[];
  /** Picks the next token; default greedy. */
  readonly choose?: (context: ChoiceContext) => number;
}

export interface GenerateEvent {
  readonly row: number;
  readonly token: number;
  readonly step: number;
  /** Text this token settles; the last event of a row adds what was held back. Absent without a tokenizer. */
  readonly text?: string;
  /** Set on the row's last event. 'context': the position table of the model ends here. */
  readonly done?: 'stop' | 'length' | 'context';
  /**
   * An activation of the pass that chose this token: of the whole prompt at step 0, of the previous token
   * after that. Owned by the pass: valid until the events of the next step.
   */
  captured<N extends HookName>(name: N): CapturedTensor<N>;
}

interface Active {
  readonly index: number;
  readonly row: Row;
  readonly cache: RowCache;
  readonly text: ReturnType<NonNullable<TextCodec['createStreamDecoder']>> | undefined;
  /** Everything the row has seen, for diagnosis. */
  readonly history: number[];
  next: readonly number[];
}

/** See `Transformer.generate`. */
export async function* generate<T extends TextCodec>(
  model: Transformer<T>,
  rows: readonly Row[],
  options: GenerateOptions,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const { maxNewTokens, signal, capture = [], choose = ({ logits }) => greedy(logits) } = options;
  const stops = new Set(options.stopTokens ?? model.config.eosTokenIds);
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1) {
    throw new SafeInferError(`maxNewTokens is ${maxNewTokens}`, {
      code: 'BAD_ARGUMENT',
      hint: 'ask for at least one token',
    });
  }
  throwIfAborted(signal);
  const own: RowCache[] = [];
  let result: ForwardResult | undefined;
  try {
    let active = rows.map((row, index): Active => {
      const tokens = tokensOf(model, row);
      const cache = row.cache ?? model.createCache();
      if (row.cache === undefined) own.push(cache);
      const text = model.tokenizer?.createStreamDecoder?.();
      return { index, row, cache, text, history: [...tokens], next: tokens };
    });
    for (let step = 0; active.length > 0; step++) {
      throwIfAborted(signal);
      result?.dispose();
      result = undefined;
      result = model.forward(
        active.map(({ row, next, cache }) => ({
          ...row,
          tokens: next,
          cache,
          phase: step === 0 ? (row.phase ?? 'prompt') : 'generation',
        })),
        { logits: 'last', capture, ...(signal === undefined ? {} : { signal }) },
      );
      const logits = (await result.lastLogits().data()) as Float32Array;
      const going: Active[] = [];
      const events: GenerateEvent[] = [];
      for (const [place, entry] of active.entries()) {
        const { vocabSize } = model.config;
        const own = logits.subarray(place * vocabSize, (place + 1) * vocabSize);
        // Minus infinity is a legal logit (a banned token); NaN and plus infinity are faults.
        if (own.some((logit) => Number.isNaN(logit) || logit === Number.POSITIVE_INFINITY)) {
          const { cache: _, ...row } = entry.row;
          throw await nonFiniteError(model, { ...row, tokens: entry.history }, entry.index);
        }
        const token = checkToken(choose({ logits: own, row: entry.index, step }), vocabSize);
        const done = doneAfter(entry, token, step);
        events.push(eventOf(entry, { token, step, place, done }));
        entry.history.push(token);
        entry.next = [token];
        if (done === undefined) going.push(entry);
      }
      yield* events;
      active = going;
    }
  } finally {
    result?.dispose();
    for (const cache of own) cache.dispose();
  }

  function doneAfter(entry: Active, token: number, step: number): GenerateEvent['done'] {
    if (stops.has(token)) return 'stop';
    if (step + 1 >= maxNewTokens) return 'length';
    const { positions, maxPositions } = model.config;
    return positions === 'learned' && entry.cache.length >= maxPositions ? 'context' : undefined;
  }

  function eventOf(
    { index, text: decoder }: Active,
    at: {
      readonly token: number;
      readonly step: number;
      readonly place: number;
      readonly done: GenerateEvent['done'];
    },
  ): GenerateEvent {
    const { token, step, place, done } = at;
    const from = result;
    let text: string | undefined;
    if (decoder !== undefined) {
      text = done === 'stop' ? '' : decoder.push(token);
      if (done !== undefined) text += decoder.flush();
    }
    return {
      row: index,
      token,
      step,
      ...(text === undefined ? {} : { text }),
      ...(done === undefined ? {} : { done }),
      captured: (name) => (from as ForwardResult).captured(place, name),
    };
  }
}

function tokensOf<T extends TextCodec>(model: Transformer<T>, row: Row): readonly number[] {
  if (typeof row.tokens !== 'string') return row.tokens;
  if (model.tokenizer !== undefined) return model.tokenizer.encode(row.tokens);
  throw new SafeInferError('a row is text, but the model has no tokenizer', {
    code: 'BAD_ARGUMENT',
    hint: 'pass token ids',
  });
}

function checkToken(token: number, vocabSize: number): number {
  if (Number.isInteger(token) && token >= 0 && token < vocabSize) return token;
  throw new SafeInferError(`the chosen token is ${token}`, {
    code: 'BAD_ARGUMENT',
    hint: `choose a token from 0 to ${vocabSize - 1}`,
  });
}
