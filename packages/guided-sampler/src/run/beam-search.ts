// Beam search over a formula: the best sequences by summed log-probability of the final distribution.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import { logSumExp } from '../numerics/log-sum-exp.ts';
import { mostLikely } from '../numerics/most-likely.ts';
import type { Plan } from '../plan/plan.ts';
import type { PromptInput } from '../plan/prompt.ts';
import { buildChain } from '../sampling/chain.ts';
import type { SamplingOptions } from '../sampling/sampling-options.ts';
import { feed, MAX_PREFILL_TOKENS, scoresOf } from './feed.ts';
import { checkRequest } from './generate-options.ts';
import { StatsCollector } from './run-stats.ts';
import { Sequence } from './sequence.ts';

export interface BeamOptions {
  readonly plan: Plan;
  readonly prompt: PromptInput;
  readonly beams: number;
  readonly maxNewTokens: number;
  /** Scores are divided by length ^ lengthPenalty (default 1, as in Hugging Face). */
  readonly lengthPenalty?: number;
  /**
   * When the search ends once `beams` answers have ended: at once (true), when no open beam is better at its present
   * length (false, the default), or when none can become better ('never', slowest). As in Hugging Face.
   */
  readonly earlyStopping?: boolean | 'never';
  /** Penalties and bans; temperature and truncation have no place in a search and are refused. */
  readonly sampling?: SamplingOptions;
  readonly stopTokens?: readonly number[];
  readonly ignoreEos?: boolean;
  readonly signal?: AbortSignal;
}

export interface Hypothesis {
  readonly tokens: readonly number[];
  readonly text: string;
  /** Sum of log-probabilities (after bans, renormalised). */
  readonly logprob: number;
  /** What hypotheses are ranked by. */
  readonly score: number;
  /** False when the length limit ended it. */
  readonly finished: boolean;
}

interface Beam {
  readonly sequence: Sequence;
  readonly logprob: number;
}

/** Fields of sampling that make a draw, not a search. */
const DRAWING = [
  'temperature',
  'topK',
  'topP',
  'minP',
  'typicalP',
  'epsilonCutoff',
  'etaCutoff',
  'topNSigma',
] as const;

function checkBeam(options: BeamOptions): void {
  const { beams, sampling = {} } = options;
  const drawing = DRAWING.filter((name) => sampling[name] !== undefined);
  if (Number.isInteger(beams) && beams >= 1 && drawing.length === 0) return;
  throw new SafeInferError(
    drawing.length > 0 ? `beam search with ${drawing.join(', ')}` : `beams is ${beams}`,
    {
      code: 'BAD_ARGUMENT',
      hint: 'beam search is deterministic: give a whole number of beams, and only penalties or bans as sampling',
    },
  );
}

/** Copies a sequence with forked caches and one more token. */
function extend(
  parent: Sequence,
  token: number,
  plan: Plan,
  prompts: readonly (readonly number[])[],
): Sequence {
  const child = new Sequence({
    plan,
    prompt: 0,
    sample: 0,
    prompts,
    row: 0,
    seed: 0,
    text: undefined,
    grammar: undefined,
  });
  child.generated.push(...parent.generated, token);
  for (const [id, row] of parent.rows) child.rows.get(id)?.restore(row.checkpoint());
  return child;
}

/**
 * The `beams` best answers, best first. Every term runs for every beam, all in one pass a step.
 * @throws BAD_ARGUMENT, CONTEXT_OVERFLOW, NON_FINITE, ABORTED.
 */
export async function beamSearch(options: BeamOptions): Promise<readonly Hypothesis[]> {
  checkBeam(options);
  const { plan, beams, maxNewTokens, signal } = options;
  const request = checkRequest({
    plan,
    prompts: [options.prompt],
    maxNewTokens,
    ...(options.stopTokens === undefined ? {} : { stopTokens: options.stopTokens }),
    ...(options.ignoreEos === undefined ? {} : { ignoreEos: options.ignoreEos }),
  });
  const prompts = request.prompts[0] as readonly (readonly number[])[];
  const chain = buildChain(options.sampling ?? {}, [...request.stopTokens]);
  const owner = {
    stats: new StatsCollector(plan.terms.map((t) => t.id)),
    vocabSize: plan.vocabSize,
  };
  const { lengthPenalty = 1, earlyStopping = false } = options;
  const rank = (logprob: number, length: number): number => logprob / length ** lengthPenalty;
  const done: Hypothesis[] = [];
  const finish = (tokens: readonly number[], logprob: number, finished: boolean): void => {
    const shown = finished ? tokens.slice(0, -1) : tokens;
    const text = plan.model.tokenizer?.decode(shown) ?? '';
    done.push({ tokens, text, logprob, score: rank(logprob, tokens.length), finished });
  };
  const root = new Sequence({
    plan,
    prompt: 0,
    sample: 0,
    prompts,
    row: 0,
    seed: 0,
    text: undefined,
    grammar: undefined,
  });
  let live: Beam[] = [{ sequence: root, logprob: 0 }];
  const scores = new Float64Array(plan.vocabSize);
  try {
    for (let step = 0; step < maxNewTokens && live.length > 0; step++) {
      throwIfAborted(signal);
      const phase = plan.formula.phaseAt(step);
      const requests = live.flatMap(({ sequence }) =>
        phase.terms.map((termId) => ({ owner, sequence, termId, drafts: 0, want: 1 })),
      );
      const fed = await feed(requests, { signal, maxPrefillTokens: MAX_PREFILL_TOKENS });
      const results = fed.map(scoresOf);
      const candidates = live.flatMap((beam, b) => {
        const terms = new Map(
          phase.terms.map((id, t) => [id, results[b * phase.terms.length + t]?.[0]] as const),
        );
        phase.evaluate(terms as Parameters<typeof phase.evaluate>[0], scores);
        chain.apply(scores, beam.sequence.context(step));
        const total = logSumExp(scores).value;
        // Enough for `beams` survivors when every end token is among the best.
        return mostLikely(scores, beams + request.stopTokens.size).map((token) => ({
          beam,
          token,
          logprob: beam.logprob + (scores[token] as number) - total,
        }));
      });
      candidates.sort((x, y) => y.logprob - x.logprob);
      const next: Beam[] = [];
      for (const [place, { beam, token, logprob }] of candidates.entries()) {
        if (next.length === beams) break;
        if (!request.stopTokens.has(token)) {
          next.push({ sequence: extend(beam.sequence, token, plan, prompts), logprob });
        } else if (place < beams) {
          // An end counts only where it is as good as what goes on.
          finish([...beam.sequence.generated, token], logprob, true);
        }
      }
      for (const { sequence } of live) sequence[Symbol.dispose]();
      live = next;
      done.sort((x, y) => y.score - x.score).splice(beams);
      const worst = done[beams - 1];
      const best = live[0];
      if (worst === undefined || best === undefined) continue;
      if (earlyStopping === true) break;
      // Log-probabilities only fall; with a positive penalty length helps.
      const length = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : step + 1;
      if (rank(best.logprob, length) <= worst.score) break;
    }
    if (done.length < beams || live.length > 0) {
      for (const { sequence, logprob } of live) {
        if (sequence.generated.length === maxNewTokens)
          finish([...sequence.generated], logprob, false);
      }
    }
  } finally {
    for (const { sequence } of live) sequence[Symbol.dispose]();
  }
  return done.sort((x, y) => y.score - x.score).slice(0, beams);
}
