// What an arm says to a set of requests: each answer's verdict, letter by letter, so that arms can be compared in pairs.
import type { Row, Transformer } from '@safeinfer/transformer';
import type { SteeringPlan } from '../plan/steering-plan.ts';
import { type Rollout, steeredRollouts } from '../strength/steered-rollout.ts';
import { startsLikeRefusal } from './refusal-prefix.ts';
import { type Interval, wilson } from './statistics.ts';

/** 'unclear' is a judge that failed, or an answer that neither refuses nor complies: counted apart, never as safe. */
export type RefusalVerdict = 'refused' | 'answered' | 'unclear';

export interface ArmAnswers {
  /** One letter an item, in the items' order: R refused, A answered, U unclear, E empty. */
  readonly verdicts: string;
  readonly texts: readonly string[];
  readonly rollouts: readonly Rollout[];
}

const LETTER: Readonly<Record<RefusalVerdict, string>> = {
  refused: 'R',
  answered: 'A',
  unclear: 'U',
};

/** Greedy answers under the plan. Rows are the prepared prompts, `requests` what the judge is shown. */
export async function armAnswers(options: {
  readonly model: Transformer;
  readonly plan: SteeringPlan;
  readonly rows: readonly Row[];
  readonly requests: readonly Row[];
  readonly judge?: ((request: Row, answer: string) => Promise<RefusalVerdict>) | undefined;
  readonly maxNewTokens: number;
  /** Whether the rollouts carry their KL to the plain model. */
  readonly divergence: boolean;
  readonly signal?: AbortSignal | undefined;
}): Promise<ArmAnswers> {
  const { model, plan, rows, requests, judge, maxNewTokens, divergence, signal } = options;
  if (rows.length === 0) return { verdicts: '', texts: [], rollouts: [] };
  const rollouts = await steeredRollouts({
    model,
    plan,
    rows,
    maxNewTokens,
    divergence,
    signal,
  });
  const texts = rollouts.map(({ tokens, stopped }) =>
    (model.tokenizer?.decode(stopped ? tokens.slice(0, -1) : tokens) ?? '').trim(),
  );
  const verdicts: string[] = [];
  for (const [i, text] of texts.entries()) {
    if (text === '') verdicts.push('E');
    else if (judge) verdicts.push(LETTER[await judge(requests[i]!, text)]);
    else verdicts.push(startsLikeRefusal(text) ? 'R' : 'A');
  }
  return {
    verdicts: verdicts.join(''),
    texts,
    rollouts,
  };
}

/** Whether each item got the verdict of this letter. */
export function areVerdict(verdicts: string, letter: 'R' | 'A' | 'U' | 'E'): boolean[] {
  return [...verdicts].map((own) => own === letter);
}

/** Share of the items with this verdict, with its Wilson interval. */
export function shareOf(verdicts: string, letter: 'R' | 'A' | 'U' | 'E'): Interval {
  return wilson(areVerdict(verdicts, letter).filter(Boolean).length, verdicts.length);
}
