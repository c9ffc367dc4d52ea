// NicheHazardQA (Hazra et al. 2024): 388 questions over six topics.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { tableItem } from '../table-item.ts';

export const nicheHazardQa: DatasetSpec = {
  name: 'nichehazardqa',
  revision: '114a05b168027c3190dc4e2f3b558fe48e6092c8',
  origin: { kind: 'hub', repo: 'SoftMINER-Group/NicheHazardQA', gated: false },
  // The card does not fix a file name: the only .json file of the repository.
  files: [{ path: '*.json', format: 'jsonl' }],
  editions: [{ name: 'published', rows: 388 }],
  licence: { id: 'Apache-2.0', redistributable: true },
  columns: ['Question', 'Domain'],
  toItem: tableItem({ prompt: 'Question', category: 'Domain', label: 'harmful' }),
  split: testOnly('nichehazardqa'),
};
