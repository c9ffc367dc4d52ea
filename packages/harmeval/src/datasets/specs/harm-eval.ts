// HarmEval (Banerjee et al. 2024): the paper's own benchmark. Gated; one topic is always dropped.
import type { DatasetSpec } from '../dataset-spec.ts';
import { tableItem } from '../table-item.ts';

export const harmEval: DatasetSpec = {
  name: 'harmeval',
  revision: 'd1f62d8c8a42b919d7466fcd1896dc9cdb8134c3',
  origin: { kind: 'hub', repo: 'SoftMINER-Group/HarmEval', gated: true },
  files: [{ path: 'Safe_Infer_Final_Dataset_550_Without_Answer.csv', format: 'csv' }],
  editions: [{ name: 'published', rows: 550 }],
  licence: {
    id: 'Apache-2.0',
    redistributable: false,
    note: 'gated, and the gate asks for non-commercial use: bring your own copy or token',
  },
  columns: ['Question', 'Topic'],
  toItem: tableItem({ prompt: 'Question', category: 'Topic', label: 'harmful' }),
  // The paper draws its demonstrations and its harmful model from the set that it then scores; this split prevents that.
  split: { salt: 'harmeval/v1', buildShare: 0.3 },
  caveats: [
    'one of the eleven topics is dropped on load, so totals do not compare with the published 550-question rates',
    'unlicensed re-uploads exist; this loader reads the gated file only',
  ],
};
