// Perplexity of documents: per token, per word and per byte, from summed log-likelihoods.
import type { DatasetSource } from '../datasets/dataset-spec.ts';
import { cellText } from '../datasets/row.ts';
import type { LogLikelihood, LogLikelihoodResult } from './log-likelihood.ts';
import { scoreRequests } from './score-requests.ts';

export interface Perplexity {
  /** exp(-sum log p / tokens): comparable only between models with one tokenizer. */
  readonly perToken: number;
  /** exp(-sum log p / words), words split at white space: comparable between tokenizers on the same text. */
  readonly perWord: number;
  /** Bits per UTF-8 byte. */
  readonly bitsPerByte: number;
  readonly documents: number;
  readonly tokens: number;
}

/** Scores whole documents with an empty context. Documents longer than the model's window need `scoreRollingPerplexity`. */
export async function scorePerplexity(options: {
  readonly documents: readonly string[];
  readonly logLikelihood: LogLikelihood;
  readonly signal?: AbortSignal;
}): Promise<Perplexity> {
  const { documents, logLikelihood, signal } = options;
  const scores = await scoreRequests(
    logLikelihood,
    documents.map((continuation) => ({ context: '', continuation })),
    signal,
  );
  return perplexityOf(documents, scores);
}

/** Perplexities of texts whose parts were scored; every part counts once. */
export function perplexityOf(
  documents: readonly string[],
  scores: readonly LogLikelihoodResult[],
): Perplexity {
  const total = scores.reduce((sum, { logProb }) => sum + logProb, 0);
  const tokens = scores.reduce((sum, score) => sum + score.tokens, 0);
  const words = documents.reduce((sum, text) => sum + (text.match(/\S+/gu)?.length ?? 0), 0);
  const bytes = documents.reduce((sum, text) => sum + Buffer.byteLength(text, 'utf8'), 0);
  return {
    perToken: Math.exp(-total / tokens),
    perWord: Math.exp(-total / words),
    bitsPerByte: -total / Math.LN2 / bytes,
    documents: documents.length,
    tokens,
  };
}

export interface DocumentItem {
  readonly id: string;
  readonly text: string;
}

/** A text file, one document per line (WikiText-2 as distributed). */
export function linesSource(name: string): DatasetSource<DocumentItem> {
  return {
    name,
    revision: 'local',
    origin: { kind: 'local' },
    files: [{ path: '*', format: 'lines' }],
    editions: [],
    licence: { id: 'custom', redistributable: false },
    columns: ['text'],
    toItem: (row) => ({ id: String(row.line ?? row.row), text: cellText(row, 'text') }),
  };
}

/** ME-PPL: short sentences that show the collapse of an edited model. Keep the file out of published packages. */
export const mePpl: DatasetSource<DocumentItem> = {
  name: 'me-ppl',
  revision: '678beddf656385b660281de93a6650bb1b485ee9',
  origin: { kind: 'github', repo: 'WanliYoung/Collapse-in-Model-Editing' },
  files: [{ path: 'data/ME-PPL/ME-PPL_1k.json', format: 'json' }],
  editions: [
    { name: '50', rows: 50 },
    { name: '1k', rows: 1000 },
    { name: '1k filtered', rows: 999 },
    { name: '10k', rows: 10_000 },
    { name: '10k filtered', rows: 9989 },
  ],
  licence: {
    id: 'MIT',
    redistributable: false,
    note: 'rights in single sentences stay with their authors',
  },
  columns: ['Corpus', 'Text'],
  toItem: (row) => ({ id: String(row.row), text: cellText(row, 'Text') }),
};
