// HarmfulQA (Bhardwaj and Poria 2023): 1,960 questions over ten topics.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { tableItem } from '../table-item.ts';

export const harmfulQa: DatasetSpec = {
  name: 'harmfulqa',
  revision: 'main',
  origin: { kind: 'hub', repo: 'declare-lab/HarmfulQA', gated: false },
  files: [{ path: '*.json', format: 'json' }],
  editions: [{ name: 'published', rows: 1960 }],
  licence: { id: 'Apache-2.0', redistributable: true },
  columns: ['question', 'topic'],
  toItem: tableItem({ prompt: 'question', category: 'topic', label: 'harmful' }),
  split: testOnly('harmfulqa'),
};
