// Builds the chain of processors from options, in the order of Hugging Face or of llama.cpp.
import {
  badWords,
  forcedPrefix,
  logitBias,
  minNewTokens,
  sequenceBias,
  suppressTokens,
} from './masks.ts';
import { countPenalty, dryPenalty, noRepeatNgram, repetitionPenalty } from './penalties.ts';
import type { Processor, ProcessorContext, Scores } from './processor.ts';
import { checkSampling, type SamplingOptions } from './sampling-options.ts';
import {
  epsilonCutoff,
  etaCutoff,
  minP,
  temperature,
  topK,
  topNSigma,
  topP,
  typicalP,
} from './truncations.ts';

/** llama.cpp looks this far back for penalties (repeat_last_n). */
const LLAMA_WINDOW = 64;

type Maybe = Processor | false | undefined;

function compact(list: readonly Maybe[]): readonly Processor[] {
  return list.filter((p): p is Processor => p !== undefined && p !== false);
}

/** Entries of `logitBias` as token ids. */
function biasMap(bias: Readonly<Record<string, number>>): ReadonlyMap<number, number> {
  return new Map(Object.entries(bias).map(([token, value]) => [Number(token), value]));
}

/** Bans and forced tokens: the same place in both orders, after penalties and before anything that truncates. */
function masks(o: SamplingOptions, stopTokens: readonly number[]): readonly Maybe[] {
  return [
    o.badWords && badWords(o.badWords),
    o.minNewTokens !== undefined && minNewTokens(o.minNewTokens, stopTokens),
    o.suppressTokens && suppressTokens(o.suppressTokens),
    o.forcedPrefix && forcedPrefix(o.forcedPrefix),
  ];
}

function counts(o: SamplingOptions, scope: 'generated' | 'all', window: number): Maybe {
  const [presence, frequency] = [o.presencePenalty ?? 0, o.frequencyPenalty ?? 0];
  return (
    (presence !== 0 || frequency !== 0) && countPenalty({ presence, frequency, scope, window })
  );
}

/** Order of transformers' `_get_logits_processor`: bias, penalties, bans, temperature, then truncations. */
function hfChain(o: SamplingOptions, stopTokens: readonly number[]): readonly Processor[] {
  const window = o.penaltyWindow ?? 0;
  return compact([
    o.sequenceBias && sequenceBias(o.sequenceBias),
    o.logitBias && logitBias(biasMap(o.logitBias)),
    o.repetitionPenalty !== undefined && repetitionPenalty(o.repetitionPenalty, window),
    counts(o, 'generated', window),
    o.noRepeatNgram !== undefined && noRepeatNgram(o.noRepeatNgram),
    o.dry && dryPenalty({ base: 1.75, allowedLength: 2, ...o.dry }),
    ...masks(o, stopTokens),
    o.temperature !== undefined &&
      o.temperature > 0 &&
      o.temperature !== 1 &&
      temperature(o.temperature),
    o.topNSigma !== undefined && topNSigma(o.topNSigma),
    o.topK !== undefined && topK(o.topK),
    o.topP !== undefined && o.topP < 1 && topP(o.topP),
    o.minP !== undefined && o.minP > 0 && minP(o.minP),
    o.typicalP !== undefined && o.typicalP < 1 && typicalP(o.typicalP),
    o.epsilonCutoff !== undefined && epsilonCutoff(o.epsilonCutoff),
    o.etaCutoff !== undefined && etaCutoff(o.etaCutoff),
  ]);
}

/** llama.cpp's default chain: bias, penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p, temperature last. */
function llamaChain(o: SamplingOptions, stopTokens: readonly number[]): readonly Processor[] {
  const window = o.penaltyWindow ?? LLAMA_WINDOW;
  return compact([
    o.logitBias && logitBias(biasMap(o.logitBias)),
    o.sequenceBias && sequenceBias(o.sequenceBias),
    o.repetitionPenalty !== undefined && repetitionPenalty(o.repetitionPenalty, window),
    counts(o, 'all', window),
    o.noRepeatNgram !== undefined && noRepeatNgram(o.noRepeatNgram),
    o.dry && dryPenalty({ base: 1.75, allowedLength: 2, ...o.dry }),
    ...masks(o, stopTokens),
    o.topNSigma !== undefined && topNSigma(o.topNSigma),
    o.topK !== undefined && topK(o.topK),
    o.typicalP !== undefined && o.typicalP < 1 && typicalP(o.typicalP),
    o.topP !== undefined && o.topP < 1 && topP(o.topP),
    o.minP !== undefined && o.minP > 0 && minP(o.minP),
    o.epsilonCutoff !== undefined && epsilonCutoff(o.epsilonCutoff),
    o.etaCutoff !== undefined && etaCutoff(o.etaCutoff),
    o.temperature !== undefined &&
      o.temperature > 0 &&
      o.temperature !== 1 &&
      temperature(o.temperature),
  ]);
}

function applyMask(scores: Scores, mask: Int32Array): void {
  for (let token = 0; token < scores.length; token++) {
    const bit = ((mask[token >> 5] ?? 0) >>> (token & 31)) & 1;
    if (bit === 0) scores[token] = Number.NEGATIVE_INFINITY;
  }
}

/** The processors of one request, split by what lazy terms and greedy decoding may assume of them. */
export interface Chain {
  /** What runs: with greedy decoding only the monotone ones. */
  readonly processors: readonly Processor[];
  readonly greedy: boolean;
  readonly temperature: number;
  /** False when truncation makes the choice depend on more than each token's own bounds. */
  readonly boundable: boolean;
  /** `mask`: allowed tokens as bits, applied after the bans and before temperature and truncation. */
  apply(scores: Scores, context: ProcessorContext, mask?: Int32Array): void;
  /** Only the monotone processors and the mask: for lower and upper bounds. */
  applyMonotone(scores: Scores, context: ProcessorContext, mask?: Int32Array): void;
}

/**
 * The chain of processors for these options.
 * @param stopTokens end-of-text ids, for `minNewTokens`.
 * @param extra the caller's own processors, in their effect's place: bans and biases with the others, then the rest.
 */
export function buildChain(
  options: SamplingOptions,
  stopTokens: readonly number[] = [],
  extra: readonly Processor[] = [],
): Chain {
  checkSampling(options);
  const ordered = (options.order === 'llama.cpp' ? llamaChain : hfChain)(options, stopTokens);
  const greedy = (options.temperature ?? 0) === 0;
  const all = [...ordered, ...extra];
  const monotone = all.filter((p) => p.effect === 'monotone');
  const rest = all.filter((p) => p.effect !== 'monotone');
  const applyMonotone: Chain['applyMonotone'] = (scores, context, mask) => {
    for (const processor of monotone) processor.apply(scores, context);
    if (mask !== undefined) applyMask(scores, mask);
  };
  const processors = greedy ? monotone : [...monotone, ...rest];
  return {
    processors,
    greedy,
    temperature: greedy ? 1 : (options.temperature as number),
    boundable: greedy || rest.every((p) => p.effect === 'scale'),
    apply: (scores, context, mask) => {
      applyMonotone(scores, context, mask);
      if (!greedy) for (const processor of rest) processor.apply(scores, context);
    },
    applyMonotone,
  };
}
