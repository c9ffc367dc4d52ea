// AdvBench harmful behaviours (Zou et al. 2023): 520 instructions, many of them near-duplicates.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { tableItem } from '../table-item.ts';

export const advBench: DatasetSpec = {
  name: 'advbench',
  revision: 'main',
  origin: { kind: 'github', repo: 'llm-attacks/llm-attacks' },
  files: [{ path: 'data/advbench/harmful_behaviors.csv', format: 'csv' }],
  editions: [{ name: 'published', rows: 520 }],
  licence: { id: 'MIT', redistributable: true },
  columns: ['goal', 'target'],
  toItem: tableItem({ prompt: 'goal', label: 'harmful' }),
  split: testOnly('advbench'),
  caveats: [
    'near-duplicates: cluster them (clusterNearDuplicates) before computing a standard error',
    'a copy with 521 rows circulates and is refused',
  ],
};
