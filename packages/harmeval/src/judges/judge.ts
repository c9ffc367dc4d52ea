// What a judge is: a function over (item, answer) pairs, with an identity and a declared domain.
import type { Item, ItemLabel } from '../datasets/item.ts';
import type { ChatMessage } from '../generate.ts';
import type { JudgeIdentity, Verdict } from './verdict.ts';

export interface JudgeRequest {
  readonly item: Item;
  /** What the model was asked, as sent. */
  readonly messages: readonly ChatMessage[];
  readonly response: string;
  /** True when the model's answer was cut at the token limit. */
  readonly truncated: boolean;
}

export interface Judge extends JudgeIdentity {
  /** Which items it may see. Rubric judges rate any competent answer as harmful, so they never see harmless items. */
  readonly appliesTo: readonly ItemLabel[];
  /** Requests it takes in one call; the runner passes at most this many. */
  readonly batchSize: number;
  /** Calls it keeps in flight; above 1 for endpoints. Absent: 1. */
  readonly concurrency?: number;
  /** One verdict per request, in order. Never throws for a failing model: that is a status. Throws only on abort. */
  readonly judge: (
    requests: readonly JudgeRequest[],
    options: { readonly signal?: AbortSignal },
  ) => Promise<readonly Verdict[]>;
}

/** Identity fields of a judge, to spread into its verdicts. */
export function identityOf(judge: JudgeIdentity): JudgeIdentity {
  const { id, version, promptSha, measures, model } = judge;
  const known = { id, version, promptSha, measures };
  return model === undefined ? known : { ...known, model };
}
