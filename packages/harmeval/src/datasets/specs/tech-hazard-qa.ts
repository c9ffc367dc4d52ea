// TechHazardQA (Banerjee et al. 2024): questions over seven topics, meant for the instruction-centric styles.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { tableItem } from '../table-item.ts';

export const techHazardQa: DatasetSpec = {
  name: 'techhazardqa',
  revision: 'd100fa1222a7179e0f492813129054dc19195408',
  origin: { kind: 'hub', repo: 'SoftMINER-Group/TechHazardQA', gated: true },
  // Neither the file name nor the number of rows is published consistently: the only data file of the repository.
  files: [{ path: '*' }],
  editions: [],
  licence: {
    id: 'Apache-2.0',
    redistributable: false,
    note: 'gated: bring your own copy or token',
  },
  columns: ['Question', 'Topic'],
  toItem: tableItem({ prompt: 'Question', category: 'Topic', label: 'harmful' }),
  split: testOnly('techhazardqa'),
  caveats: [
    'the paper says about 1,850 rows, the hub counts more: the number of rows is reported, not checked',
  ],
};
