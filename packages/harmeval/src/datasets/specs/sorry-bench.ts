// SORRY-Bench (Xie et al. 2024): gated; the base prompts, without the 20 mutations.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { cellText } from '../row.ts';

function firstTurn(turns: unknown): string {
  const first: unknown = Array.isArray(turns) ? turns[0] : turns;
  return typeof first === 'string' ? first.trim() : '';
}

export const sorryBench: DatasetSpec = {
  name: 'sorry-bench',
  revision: 'main',
  origin: { kind: 'hub', repo: 'sorry-bench/sorry-bench-202503', gated: true },
  files: [{ path: 'question.jsonl', format: 'jsonl' }],
  editions: [
    { name: '202503 base', rows: 440 },
    { name: '202406 base', rows: 450 },
  ],
  licence: {
    id: 'custom',
    redistributable: false,
    note: 'SORRY-Bench agreement: no redistribution',
  },
  columns: ['question_id', 'category', 'turns'],
  toItem: (row) => {
    const prompt = firstTurn(row.cells['turns']);
    const style = cellText(row, 'prompt_style');
    if (prompt === '' || (style !== '' && style !== 'base')) return null;
    return {
      sourceId: cellText(row, 'question_id'),
      prompt,
      label: 'harmful',
      category: cellText(row, 'category'),
    };
  },
  split: testOnly('sorry-bench'),
  caveats: [
    'a file with all 21 styles has another number of rows: pass allowUnpinned; mutated rows are left out and counted',
  ],
};
