// GSM8K (Cobbe et al. 2021): files, few-shot prompt from its own training rows, and answer extraction.
import type { DatasetSource } from '../datasets/dataset-spec.ts';
import { cellText } from '../datasets/row.ts';

export interface MathItem {
  readonly id: string;
  readonly question: string;
  readonly solution: string;
  /** The number after `####`. */
  readonly answer: string;
}

function part(name: 'train' | 'test', rows: number, commit: string): DatasetSource<MathItem> {
  return {
    name: `gsm8k-${name}`,
    revision: commit,
    origin: { kind: 'github', repo: 'openai/grade-school-math' },
    files: [{ path: `grade_school_math/data/${name}.jsonl`, format: 'jsonl' }],
    editions: [{ name: 'published', rows }],
    licence: { id: 'MIT', redistributable: true },
    columns: ['question', 'answer'],
    toItem: (row) => {
      const question = cellText(row, 'question').trim();
      const solution = cellText(row, 'answer').trim();
      const answer = strictAnswer(solution);
      return question === '' || answer === null
        ? null
        : { id: `${name}/${row.row}`, question, solution, answer };
    },
  };
}

export const gsm8kTest: DatasetSource<MathItem> = part(
  'test',
  1319,
  'b52325ad96ea38979fdc222e881ff5d105f95295',
);
export const gsm8kTrain: DatasetSource<MathItem> = part(
  'train',
  7473,
  '2a85729b06459fd3eef7f8b9d0d0a845d0790570',
);

/** Worked examples, then the question. Examples come from the training rows: pass the first k, or a seeded sample. */
export function gsm8kPrompt(item: MathItem, examples: readonly MathItem[]): string {
  const shots = examples.map(
    // Calculator marks such as <<3*4=12>> are for training with a tool, not for reading.
    ({ question, solution }) =>
      `Question: ${question}\nAnswer: ${solution.replace(/<<[^>]*>>/gu, '')}`,
  );
  return [...shots, `Question: ${item.question}\nAnswer:`].join('\n\n');
}

const NUMBER = /-?\$?\d[\d,]*(?:\.\d+)?/gu;

/** The number after `####`, as the data are written; null when there is none. */
export function strictAnswer(text: string): string | null {
  const marked = /####\s*(-?\$?\d[\d,]*(?:\.\d+)?)/u.exec(text)?.[1];
  return marked === undefined ? null : canonicalNumber(marked);
}

/** The last number of the text: what models that ignore the format still give. Report which of the two was used. */
export function flexibleAnswer(text: string): string | null {
  const last = text.match(NUMBER)?.at(-1);
  return last === undefined ? null : canonicalNumber(last);
}

/** `$1,200.00` and `1200` are the same number. */
function canonicalNumber(text: string): string {
  return String(Number(text.replace(/[$,]/gu, '')));
}
