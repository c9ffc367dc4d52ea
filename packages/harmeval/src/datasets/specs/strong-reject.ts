// StrongREJECT (Souly et al. 2024): 313 forbidden prompts in six categories.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { tableItem } from '../table-item.ts';

export const strongReject: DatasetSpec = {
  name: 'strongreject',
  revision: 'main',
  origin: { kind: 'github', repo: 'alexandrasouly/strongreject' },
  files: [{ path: 'strongreject_dataset/strongreject_dataset.csv', format: 'csv' }],
  editions: [{ name: 'published', rows: 313 }],
  licence: { id: 'MIT', redistributable: true },
  columns: ['category', 'source', 'forbidden_prompt'],
  toItem: tableItem({ prompt: 'forbidden_prompt', category: 'category', label: 'harmful' }),
  split: testOnly('strongreject'),
  caveats: ['92 prompts come from other sets, 25 of them from AdvBench: do not pool the two'],
};
