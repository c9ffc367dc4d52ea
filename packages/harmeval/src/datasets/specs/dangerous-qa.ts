// DangerousQA (Shaikh et al. 2023): 200 questions, no categories.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { tableItem } from '../table-item.ts';

const FILE = 'data/dangerous-q/toxic_outs.json';

export const dangerousQa: DatasetSpec = {
  name: 'dangerousqa',
  revision: 'e92a0efeb94e64eb68586d5c04a25af1415282d2',
  origin: { kind: 'github', repo: 'SALT-NLP/chain-of-thought-bias' },
  files: [{ path: FILE, format: 'json' }],
  editions: [
    {
      name: 'published',
      rows: 200,
      sha256: { [FILE]: 'b40b0193d063cb5d742e6d0e070dde119e0291619830c65653ca19bdc84fdd10' },
    },
  ],
  licence: {
    id: 'MIT',
    redistributable: true,
    note: 'one index lists CC-BY-SA-4.0: keep both notices',
  },
  columns: ['text'],
  toItem: tableItem({ prompt: 'text', label: 'harmful' }),
  split: testOnly('dangerousqa'),
};
