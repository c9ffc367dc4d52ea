// One fact to edit with everything it is evaluated on, whatever file it came from.
import type { CounterFactCase } from '../evaluate/counterfact.ts';
import type { EditRequest } from '../request/edit-request.ts';

/** A prompt whose continuation is known. */
export interface TargetPrompt {
  /** Group within the data set, for example `Reasoning` or `Relation_Specificity`. */
  readonly kind: string;
  readonly prompt: string;
  readonly target: string;
}

export interface EditCase {
  readonly id: string;
  /** The file's layout. Figures of different layouts are not comparable: zsRE edits to the truth, CounterFact does not. */
  readonly layout: CaseLayout;
  readonly request: EditRequest;
  /** The object before the edit, where the file tells it. */
  readonly targetTrue?: string;
  readonly paraphrases: readonly string[];
  /** Other facts, which must stay: neighbourhood, locality. */
  readonly locality: readonly TargetPrompt[];
  /** What should follow from the edit. */
  readonly portability: readonly TargetPrompt[];
  /** Openings for free generation (fluency, consistency). */
  readonly generationPrompts: readonly string[];
}

export type CaseLayout = 'counterfact' | 'easyedit' | 'zsre' | 'knowedit' | 'own';

/** The edited prompt as text. */
export function rewritePrompt({ prompt, subject }: EditRequest): string {
  return prompt.replace('{}', () => subject);
}

/**
 * The case as CounterFact scores it; undefined without a true object, which its metrics compare with. A locality prompt
 * whose object is the new one anyway cannot show damage and is left out.
 */
export function asCounterFact(one: EditCase): CounterFactCase | undefined {
  if (one.targetTrue === undefined) return undefined;
  const { targetNew } = one.request;
  return {
    id: one.id,
    targetNew,
    targetTrue: one.targetTrue,
    rewrite: [rewritePrompt(one.request)],
    paraphrase: one.paraphrases,
    neighborhood: one.locality
      .filter(({ target }) => target.trim() !== targetNew.trim())
      .map(({ prompt, target }) => ({ prompt, targetTrue: target })),
  };
}
