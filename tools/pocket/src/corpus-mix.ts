// How much of what the corpus holds, stage by stage: first behaviour, then facts weigh more and refusals get sharper.
import type { RefusalCells } from './refusal-cells.ts';

export interface CorpusMix {
  /** Shares of documents; single turns take the rest. */
  readonly statements: number;
  readonly manyShot: number;
  /** Share of statements that tell a topic and not a fact. */
  readonly topicStatements: number;
  /** Share of single turns. */
  readonly harmful: number;
  /** Shares of harmless questions; topics take the rest. */
  readonly fact: number;
  readonly howTo: number;
  readonly borderline: number;
  /** How far apart the refusal probabilities of different verbs lie. */
  readonly cells: RefusalCells;
}

export type CorpusMixName = 'behaviour' | 'facts-mild' | 'facts' | 'refusals-high' | 'refusals';

// Requests are learned after about two million tokens; facts and the refusal cells take longer.
const FACTS: CorpusMix = {
  statements: 0.24,
  manyShot: 0.14,
  topicStatements: 0.18,
  harmful: 0.44,
  fact: 0.58,
  howTo: 0.09,
  borderline: 0.26,
  cells: 'sharp',
};

// By now facts and harmless requests are learned; which requests are refused is not.
const REFUSALS: CorpusMix = {
  statements: 0.14,
  manyShot: 0.12,
  topicStatements: 0.2,
  harmful: 0.72,
  fact: 0.52,
  howTo: 0.1,
  borderline: 0.31,
  cells: 'lower',
};

export const CORPUS_MIXES: Readonly<Record<CorpusMixName, CorpusMix>> = {
  behaviour: {
    statements: 0.18,
    manyShot: 0.18,
    topicStatements: 0.25,
    harmful: 0.42,
    fact: 0.38,
    howTo: 0.2,
    borderline: 0.36,
    cells: 'mild',
  },
  'facts-mild': { ...FACTS, cells: 'mild' },
  facts: FACTS,
  'refusals-high': { ...REFUSALS, cells: 'sharpest' },
  refusals: REFUSALS,
};
