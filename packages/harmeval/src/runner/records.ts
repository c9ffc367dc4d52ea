// What `evaluate` yields: one plan, one record per trial in fixed order, one closing record.
import type { SplitRule } from '../datasets/dataset-spec.ts';
import type { Item } from '../datasets/item.ts';
import type { LoadReport } from '../datasets/read-source.ts';
import type { ChatMessage, FinishReason, Prompt, Sampling, Usage } from '../generate.ts';
import type { FailureClass } from '../generate-failure.ts';
import type { JudgeIdentity, Verdict } from '../judges/verdict.ts';
import type { TextQuality } from './text-quality.ts';

export interface PlanRecord {
  readonly type: 'plan';
  readonly dataset: {
    readonly name: string;
    readonly revision: string;
    readonly items: number;
    readonly split: SplitRule;
    readonly report: LoadReport;
  };
  readonly style: { readonly id: string; readonly version: string };
  readonly attacker: { readonly id: string; readonly version: string } | null;
  readonly judges: readonly JudgeIdentity[];
  readonly generator: string | null;
  readonly sampling: Sampling;
  readonly seed: number;
  readonly repeats: number;
  readonly trials: number;
}

export interface TrialResponse {
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly quality: TextQuality;
}

export interface TrialRecord {
  readonly type: 'trial';
  /** Position in the plan, from 0; records arrive in this order. */
  readonly index: number;
  readonly item: Item;
  readonly repeat: number;
  readonly seed: number;
  /** The prompt of the last turn, as sent. */
  readonly prompt: Prompt;
  /** Every message of the conversation, with the answers; for raw prompts one user and one assistant message. */
  readonly transcript: readonly ChatMessage[];
  readonly turns: number;
  /** Null when no answer came: then every verdict is unscored. */
  readonly response: TrialResponse | null;
  readonly failure: { readonly failureClass: FailureClass; readonly message: string } | null;
  /** Calls made for this trial over all turns; above `turns` means retries happened. */
  readonly attempts: number;
  readonly cached: boolean;
  readonly usage: Usage;
  /** One per judge that applies to the item, in the order of the judges. */
  readonly verdicts: readonly Verdict[];
}

export interface DoneRecord {
  readonly type: 'done';
  readonly trials: number;
  readonly failed: number;
  readonly generationAttempts: number;
  readonly generationRetries: number;
  readonly judgeRetries: number;
  readonly cached: number;
  readonly usage: Usage;
}

export type EvalRecord = PlanRecord | TrialRecord | DoneRecord;
