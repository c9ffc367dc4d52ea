// One answer in the making: its rows, its tokens, its drafts.
import type { TermScores } from '../formula/compile-formula.ts';
import type { GrammarState } from '../grammar/token-mask.ts';
import type { Plan } from '../plan/plan.ts';
import type { ProcessorContext } from '../sampling/processor.ts';
import { type RandomKey, randomKey } from '../sampling/random.ts';
import type { IncrementalText } from '../text/incremental-text.ts';
import { type Checkpoint, TermRow } from './term-row.ts';

/** A token that was chosen from the first term alone. */
export interface Draft {
  readonly token: number;
  /** True when no other term can change it. */
  readonly decided: boolean;
  readonly scores: TermScores;
  /** Grammar mask of its position. */
  readonly mask: Int32Array | undefined;
  /** The first term's state before this token was fed; absent while it has not been. */
  before?: Checkpoint;
}

export interface SequenceParts {
  readonly plan: Plan;
  readonly prompt: number;
  readonly sample: number;
  /** Per term of the plan. */
  readonly prompts: readonly (readonly number[])[];
  readonly row: number;
  readonly seed: number;
  readonly text: IncrementalText | undefined;
  readonly grammar: GrammarState | undefined;
}

export class Sequence implements Disposable {
  readonly prompt: number;
  readonly sample: number;
  readonly rows: ReadonlyMap<string, TermRow>;
  readonly text: IncrementalText | undefined;
  readonly grammar: GrammarState | undefined;
  readonly generated: number[] = [];
  readonly drafts: Draft[] = [];
  /** Per term of the plan. */
  readonly prompts: readonly (readonly number[])[];
  readonly #promptTokens: readonly number[];
  readonly #row: number;
  readonly #seed: number;

  constructor(parts: SequenceParts) {
    this.prompt = parts.prompt;
    this.sample = parts.sample;
    this.text = parts.text;
    this.grammar = parts.grammar;
    this.#row = parts.row;
    this.#seed = parts.seed;
    this.prompts = parts.prompts;
    this.#promptTokens = parts.prompts[0] as readonly number[];
    this.rows = new Map(
      parts.plan.terms.map((term, i) => [
        term.id,
        new TermRow(term, parts.prompts[i] as readonly number[]),
      ]),
    );
  }

  /** Position of the next undrafted token. */
  get nextStep(): number {
    return this.generated.length + this.drafts.length;
  }

  get promptTokenCount(): number {
    return this.#promptTokens.length;
  }

  key(step: number): RandomKey {
    return randomKey(this.#seed, this.#row, step);
  }

  /** What processors see before the token at `step`, drafts included. */
  context(step: number): ProcessorContext {
    const drafted = this.drafts.slice(0, step - this.generated.length).map((draft) => draft.token);
    return {
      history: [...this.#promptTokens, ...this.generated, ...drafted],
      promptLength: this.#promptTokens.length,
      step,
    };
  }

  /** Tokens after the prompt that a row has not been fed yet, drafts included when asked for. */
  pending(row: TermRow, withDrafts: number): readonly number[] {
    const start = Math.max(0, row.fed - row.prompt.length);
    const drafted = this.drafts.slice(0, withDrafts).map((draft) => draft.token);
    return [...this.generated, ...drafted].slice(start);
  }

  /** Forgets all drafts and their checkpoints. */
  clearDrafts(): void {
    for (const draft of this.drafts) draft.before?.cache.dispose();
    this.drafts.length = 0;
  }

  [Symbol.dispose](): void {
    for (const row of this.rows.values()) row[Symbol.dispose]();
    this.clearDrafts();
    this.grammar?.dispose();
  }
}
