// MMLU (Hendrycks et al. 2021): files, and the five-shot prompt whose continuations are " A" to " D".

import type { DatasetSource } from '../datasets/dataset-spec.ts';
import { cellText, type SourceRow } from '../datasets/row.ts';
import { HarmEvalError } from '../harm-eval-error.ts';
import type { ChoiceItem, ChoicePrompt } from './multiple-choice.ts';

const LETTERS: readonly string[] = ['A', 'B', 'C', 'D'];

/** Subject of a file such as `formal_logic_test.csv`. */
function subjectOf(file: string): string {
  const name = file.split('/').at(-1) ?? file;
  return name.replace(/_(?:test|dev|val)\.csv$/u, '');
}

function answerIndex(row: SourceRow, file: string): number {
  const answer = cellText(row, 'answer').trim();
  const index = /^[0-3]$/u.test(answer) ? Number(answer) : LETTERS.indexOf(answer);
  if (index >= 0) return index;
  throw new HarmEvalError(`${file}, row ${row.row}: the answer is neither 0-3 nor A-D`, {
    code: 'BAD_DATASET',
    hint: 'check that the file has the columns question, choice0 to choice3, answer',
    location: { file, row: row.row },
  });
}

/** One subject's file, with the header `question,choice0,...,choice3,answer`. */
export function mmluSubject(options: {
  readonly subject: string;
  readonly part: 'dev' | 'test';
  readonly rows: number;
  readonly sha256?: string;
}): DatasetSource<ChoiceItem> {
  const { subject, part, rows, sha256 } = options;
  const path = `data/mmlu/${part}/${subject}_${part}.csv`;
  return {
    name: `mmlu-${part}-${subject}`,
    revision: 'd92730e8bacd7b3a61e551e015e40588e10234b4',
    origin: { kind: 'github', repo: 'HaeChan0305/MLILAB-FedLLM' },
    files: [{ path, format: 'csv' }],
    editions: [
      { name: 'published', rows, ...(sha256 === undefined ? {} : { sha256: { [path]: sha256 } }) },
    ],
    licence: { id: 'MIT', redistributable: true },
    columns: ['question', 'choice0', 'choice1', 'choice2', 'choice3', 'answer'],
    toItem: (row, file) => {
      const question = cellText(row, 'question').trim();
      if (question === '') return null;
      return {
        id: `${subjectOf(file)}/${part}/${row.row}`,
        category: subject,
        question,
        choices: [0, 1, 2, 3].map((i) => cellText(row, `choice${i}`)),
        answer: answerIndex(row, file),
      };
    },
  };
}

/** The whole test set as the hub serves it: 14,042 rows over 57 subjects. */
export const mmluHub: DatasetSource<ChoiceItem> = {
  name: 'mmlu',
  revision: 'main',
  origin: { kind: 'hub', repo: 'cais/mmlu', gated: false },
  files: [{ path: 'all/test-00000-of-00001.parquet', format: 'parquet' }],
  editions: [{ name: 'test', rows: 14_042 }],
  licence: { id: 'MIT', redistributable: true },
  columns: ['question', 'subject', 'choices', 'answer'],
  toItem: (row) => {
    const question = cellText(row, 'question').trim();
    const choices = row.cells['choices'];
    if (question === '' || !Array.isArray(choices)) return null;
    return {
      id: `${cellText(row, 'subject')}/test/${row.row}`,
      category: cellText(row, 'subject'),
      question,
      choices: choices.map(String),
      answer: Number(row.cells['answer']),
    };
  },
};

function block(item: ChoiceItem, answer: string): string {
  const choices = item.choices.map((choice, i) => `${LETTERS[i] ?? ''}. ${choice}`);
  return [item.question, ...choices, `Answer:${answer}`].join('\n');
}

/**
 * The usual few-shot prompt: examples of the item's own subject, then the question; continuations are the letters with a
 * leading space. Pass the subject's dev rows (5; fewer for filtered copies, which must be said beside the number).
 */
export function mmluPrompt(
  item: ChoiceItem,
  examplesBySubject: Readonly<Record<string, readonly ChoiceItem[]>>,
): ChoicePrompt {
  const subject = item.category.replaceAll('_', ' ');
  const examples = (examplesBySubject[item.category] ?? []).map((example) =>
    block(example, ` ${LETTERS[example.answer] ?? ''}`),
  );
  const intro = `The following are multiple choice questions (with answers) about ${subject}.`;
  return {
    context: [intro, ...examples, block(item, '')].join('\n\n'),
    continuations: item.choices.map((_, i) => ` ${LETTERS[i] ?? ''}`),
  };
}
