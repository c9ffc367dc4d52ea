// What became of one item in one column, in one small number: 100,000 items times all arms must stay small.
import { OUTCOMES, type Outcome } from '../schema/outcome.ts';

/** Low three bits: 0 = no record, else 1 + position in OUTCOMES. */
const OUTCOME_BITS = 7;
const JUDGES_DISAGREE = 8;
const CORRECT = 16;
const INCORRECT = 32;
const HAS_TOKENS = 64;

export interface Mark {
  readonly outcome: Outcome | undefined;
  readonly judgesDisagree: boolean;
  readonly correct: boolean | undefined;
  readonly hasTokens: boolean;
}

export function packMark(mark: Mark): number {
  return (
    (mark.outcome === undefined ? 0 : 1 + OUTCOMES.indexOf(mark.outcome)) |
    (mark.judgesDisagree ? JUDGES_DISAGREE : 0) |
    (mark.correct === undefined ? 0 : mark.correct ? CORRECT : INCORRECT) |
    (mark.hasTokens ? HAS_TOKENS : 0)
  );
}

export function unpackMark(mark: number): Mark {
  return {
    outcome: outcomeOfMark(mark),
    judgesDisagree: (mark & JUDGES_DISAGREE) !== 0,
    correct: (mark & (CORRECT | INCORRECT)) === 0 ? undefined : (mark & CORRECT) !== 0,
    hasTokens: (mark & HAS_TOKENS) !== 0,
  };
}

export function outcomeOfMark(mark: number): Outcome | undefined {
  const position = mark & OUTCOME_BITS;
  return position === 0 ? undefined : OUTCOMES[position - 1];
}

export function judgesDisagree(mark: number): boolean {
  return (mark & JUDGES_DISAGREE) !== 0;
}
