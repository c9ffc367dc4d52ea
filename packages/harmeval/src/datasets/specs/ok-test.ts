// OKTest (Shi et al. 2024): 300 harmless questions with words that look harmful.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { tableItem } from '../table-item.ts';

export const okTest: DatasetSpec = {
  name: 'oktest',
  revision: '51809bb9e7c029d7cc1247389e0578da92e784e2',
  origin: { kind: 'github', repo: 'InvokerStark/OverKill' },
  files: [{ path: 'data/OKTest.csv', format: 'csv' }],
  editions: [{ name: 'published', rows: 300 }],
  licence: { id: 'custom', redistributable: false, note: 'the repository states no licence' },
  columns: ['prompt'],
  toItem: tableItem({ prompt: 'prompt', label: 'harmless' }),
  split: testOnly('oktest'),
};
