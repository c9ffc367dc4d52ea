// A row after checking: token ids, positions, adapters, and the interventions that act in this pass.
import { SafeInferError } from '@safeinfer/backend';
import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Adapter } from '../adapters/adapter.ts';
import type { RowCache } from '../cache/row-cache.ts';
import type { ModelConfig } from '../config/model-config.ts';
import type { Intervention } from '../hooks/intervention.ts';
import type { Row } from './row.ts';

export interface PreparedRow {
  readonly index: number;
  readonly tokens: readonly number[];
  /** Position of the first token: the length of the cache. */
  readonly first: number;
  readonly phase: 'prompt' | 'generation';
  readonly adapters: readonly Adapter[];
  /** Those whose `during` fits the phase. */
  readonly interventions: readonly Intervention[];
  readonly cache: RowCache | undefined;
  /** Input of `startAtLayer` [tokens, D], when the pass starts in the middle. */
  readonly residual: Tensor2D | undefined;
}

export interface RowSources {
  readonly config: ModelConfig;
  readonly adapters: ReadonlyMap<string, Adapter>;
  readonly encode: ((text: string) => readonly number[]) | undefined;
}

/** Checks rows before any work starts. Throws BAD_ARGUMENT or CONTEXT_OVERFLOW. */
export function prepareRows(
  rows: readonly Row[],
  sources: RowSources,
  residuals: readonly Tensor2D[] | undefined,
): PreparedRow[] {
  if (rows.length === 0) throw bad('no rows were given', 'pass at least one row');
  if (residuals !== undefined && residuals.length !== rows.length) {
    throw bad(
      `${residuals.length} residuals for ${rows.length} rows`,
      'pass one residual [tokens, D] per row',
    );
  }
  const caches = new Set<RowCache>();
  return rows.map((row, index) => {
    const tokens = tokensOf(row, index, sources);
    const first = row.cache?.length ?? 0;
    if (row.cache !== undefined) {
      if (caches.has(row.cache)) {
        throw bad(`row ${index} reuses the cache of another row`, 'fork() the cache for each row');
      }
      caches.add(row.cache);
      if (row.cache.nLayers !== sources.config.nLayers) {
        throw bad(`row ${index} carries the cache of another model`, 'use model.createCache()');
      }
    }
    checkLength(first + tokens.length, index, sources.config);
    const residual = residuals?.[index];
    if (
      residual !== undefined &&
      (residual.shape[0] !== tokens.length || residual.shape[1] !== sources.config.dModel)
    ) {
      throw bad(
        `residual of row ${index} is [${residual.shape}], not [${tokens.length}, ${sources.config.dModel}]`,
        'residuals have one line per token of the row',
      );
    }
    const phase = row.phase ?? 'prompt';
    return {
      index,
      tokens,
      first,
      phase,
      adapters: adaptersOf(row, index, sources),
      interventions: (row.interventions ?? []).filter(
        ({ during = 'both' }) => during === 'both' || during === phase,
      ),
      cache: row.cache,
      residual,
    };
  });
}

function tokensOf(row: Row, index: number, { config, encode }: RowSources): readonly number[] {
  let tokens: readonly number[];
  if (typeof row.tokens === 'string') {
    if (encode === undefined) {
      throw bad(`row ${index} is text, but the model has no tokenizer`, 'pass token ids');
    }
    tokens = encode(row.tokens);
  } else {
    tokens = row.tokens;
  }
  if (tokens.length === 0) throw bad(`row ${index} has no tokens`, 'every row needs a token');
  for (const token of tokens) {
    if (Number.isInteger(token) && token >= 0 && token < config.vocabSize) continue;
    throw bad(
      `row ${index} holds token ${token}; this model has tokens 0 to ${config.vocabSize - 1}`,
      'use the tokenizer of this checkpoint',
    );
  }
  return tokens;
}

function adaptersOf(row: Row, index: number, { adapters }: RowSources): Adapter[] {
  const names = row.adapter === undefined ? [] : [row.adapter].flat();
  return names.map((name) => {
    const adapter = adapters.get(name);
    if (adapter !== undefined) return adapter;
    const known = [...adapters.keys()].join(', ') || 'none';
    throw bad(`row ${index} names adapter '${name}'; loaded: ${known}`, 'call addAdapter first');
  });
}

/** Rotary models run past their trained length, as Hugging Face lets them; a position table cannot. */
function checkLength(length: number, index: number, config: ModelConfig): void {
  if (config.positions !== 'learned' || length <= config.maxPositions) return;
  throw new SafeInferError(
    `row ${index} is ${length} tokens long; this model has ${config.maxPositions} positions`,
    { code: 'CONTEXT_OVERFLOW', hint: 'shorten the row: learned positions end there' },
  );
}

function bad(message: string, hint: string): SafeInferError {
  return new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
}
