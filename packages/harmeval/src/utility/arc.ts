// ARC (Clark et al. 2018): science questions; choices are scored as texts, length-normalised.
import type { DatasetSource } from '../datasets/dataset-spec.ts';
import { cellText } from '../datasets/row.ts';
import type { ChoiceItem, ChoicePrompt } from './multiple-choice.ts';

function arc(part: 'Challenge' | 'Easy', rows: number): DatasetSource<ChoiceItem> {
  return {
    name: `arc-${part.toLowerCase()}`,
    revision: 'main',
    origin: { kind: 'hub', repo: 'allenai/ai2_arc', gated: false },
    files: [{ path: `ARC-${part}/test-00000-of-00001.parquet`, format: 'parquet' }],
    editions: [{ name: 'test', rows }],
    licence: { id: 'CC-BY-SA-4.0', redistributable: true },
    columns: ['id', 'question', 'choices', 'answerKey'],
    toItem: (row) => {
      const question = cellText(row, 'question').trim();
      const { text, label } = (row.cells['choices'] ?? {}) as {
        readonly text?: readonly string[];
        readonly label?: readonly string[];
      };
      // Some items label their choices 1 to 4, others A to D: the key is looked up, never counted.
      const answer = label?.indexOf(cellText(row, 'answerKey')) ?? -1;
      if (question === '' || text === undefined || answer < 0) return null;
      return { id: cellText(row, 'id'), category: part, question, choices: text, answer };
    },
  };
}

export const arcChallenge: DatasetSource<ChoiceItem> = arc('Challenge', 1172);
export const arcEasy: DatasetSource<ChoiceItem> = arc('Easy', 2376);

/** Zero-shot: the question, then each choice's text; score with `normalise: 'perCharacter'`. */
export function arcPrompt(item: ChoiceItem): ChoicePrompt {
  return {
    context: `Question: ${item.question}\nAnswer:`,
    continuations: item.choices.map((choice) => ` ${choice}`),
  };
}
