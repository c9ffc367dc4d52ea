// zsRE's and EasyEdit's figures of edited facts. Their definitions differ from CounterFact's: keep the columns apart.
import type { Transformer } from '@safeinfer/transformer';
import { type EditCase, rewritePrompt, type TargetPrompt } from '../cases/edit-case.ts';
import type { ScoreOptions } from './score-targets.ts';
import {
  localityAccuracy,
  predictedTokens,
  type TokenAccuracyItem,
  tokenAccuracy,
} from './token-accuracy.ts';

/** What a figure may be compared with: only figures of the same protocol. */
export type Protocol = 'zsre' | 'easyedit';

export interface ProtocolScores {
  readonly protocol: Protocol;
  readonly id: string;
  /** Share of target tokens that are the argmax under teacher forcing. */
  readonly rewrite: number;
  /** Per paraphrase. */
  readonly paraphrase: readonly number[];
  /**
   * Per locality prompt. `zsre`: token accuracy of the true answer. `easyedit`: share of positions whose argmax is what
   * it was before any edit.
   */
  readonly locality: readonly { readonly kind: string; readonly accuracy: number }[];
  /** Token accuracy of what should follow from the edit. */
  readonly portability: readonly { readonly kind: string; readonly accuracy: number }[];
}

/** EasyEdit's locality compares with the model before any edit: take this first. */
export interface LocalityBaseline {
  readonly predicted: readonly (readonly (readonly number[])[])[];
}

/** The argmax tokens on every case's locality prompts, of the model as it is: **before any edit**. */
export async function localityBaseline(
  model: Transformer,
  cases: readonly EditCase[],
  options: ScoreOptions = {},
): Promise<LocalityBaseline> {
  const items = cases.flatMap(({ locality }) => locality.map(item));
  const all = (await predictedTokens(model, items, options)).values();
  return {
    predicted: cases.map(({ locality }) => locality.map(() => all.next().value!)),
  };
}

/**
 * zsRE as ROME and MEMIT report it: token accuracy of the edited question, its rephrasing, and of the true answers to
 * unrelated questions. The reference compares the first token of each re-tokenised target; here the target's own tokens
 * count, which differs only where the tokenizer splits a target in pieces that do not join again.
 */
export async function scoreZsre(
  model: Transformer,
  cases: readonly EditCase[],
  options: ScoreOptions = {},
): Promise<ProtocolScores[]> {
  const items = cases.flatMap(({ locality }) => locality.map(item));
  const found = (await tokenAccuracy(model, items, options)).values();
  const locality = cases.map((one) =>
    one.locality.map(({ kind }) => ({ kind, accuracy: found.next().value! })),
  );
  return await score(model, cases, { protocol: 'zsre', locality, options });
}

/** EasyEdit's rewrite_acc, rephrase_acc, locality and portability. */
export async function scoreEasyEdit(
  model: Transformer,
  cases: readonly EditCase[],
  baseline: LocalityBaseline,
  options: ScoreOptions = {},
): Promise<ProtocolScores[]> {
  const { predicted } = await localityBaseline(model, cases, options);
  const locality = cases.map((one, c) => {
    const same = localityAccuracy(baseline.predicted[c] ?? [], predicted[c]!);
    return one.locality.map(({ kind }, i) => ({ kind, accuracy: same[i]! }));
  });
  return await score(model, cases, { protocol: 'easyedit', locality, options });
}

export interface ProtocolSummary {
  readonly protocol: Protocol;
  readonly cases: number;
  /** Mean within a case, then over cases that have such prompts; absent where none has. */
  readonly rewrite?: number;
  readonly paraphrase?: number;
  /** Per kind. */
  readonly locality: Readonly<Record<string, number>>;
  readonly portability: Readonly<Record<string, number>>;
}

export function summariseProtocol(scores: readonly ProtocolScores[]): ProtocolSummary {
  const rephrased = scores.filter(({ paraphrase }) => paraphrase.length > 0);
  return {
    protocol: scores[0]?.protocol ?? 'easyedit',
    cases: scores.length,
    ...(scores.length === 0 ? {} : { rewrite: mean(scores.map(({ rewrite }) => rewrite)) }),
    ...(rephrased.length === 0
      ? {}
      : { paraphrase: mean(rephrased.map(({ paraphrase }) => mean(paraphrase))) }),
    locality: perKind(scores.map(({ locality }) => locality)),
    portability: perKind(scores.map(({ portability }) => portability)),
  };
}

async function score(
  model: Transformer,
  cases: readonly EditCase[],
  parts: {
    readonly protocol: Protocol;
    readonly locality: readonly ProtocolScores['locality'][];
    readonly options: ScoreOptions;
  },
): Promise<ProtocolScores[]> {
  const items = cases.flatMap(({ request, paraphrases, portability }) => [
    ...[rewritePrompt(request), ...paraphrases].map((prompt) => ({
      prompt,
      target: request.targetNew,
    })),
    ...portability.map(item),
  ]);
  const found = (await tokenAccuracy(model, items, parts.options)).values();
  const next = (): number => found.next().value!;
  return cases.map(({ id, paraphrases, portability }, c) => ({
    protocol: parts.protocol,
    id,
    rewrite: next(),
    paraphrase: paraphrases.map(next),
    locality: parts.locality[c]!,
    portability: portability.map(({ kind }) => ({ kind, accuracy: next() })),
  }));
}

function item({ prompt, target }: TargetPrompt): TokenAccuracyItem {
  return { prompt, target };
}

function perKind(
  cases: readonly (readonly { readonly kind: string; readonly accuracy: number }[])[],
): Record<string, number> {
  const kinds = [...new Set(cases.flatMap((one) => one.map(({ kind }) => kind)))];
  return Object.fromEntries(
    kinds.map((kind) => {
      const own = cases
        .map((one) => one.filter((probe) => probe.kind === kind))
        .filter((one) => one.length > 0);
      return [kind, mean(own.map((one) => mean(one.map(({ accuracy }) => accuracy))))];
    }),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}
