// SimpleSafetyTests (Vidgen et al. 2023): 100 clear-cut prompts; one harm area is always dropped.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { tableItem } from '../table-item.ts';

const FILE = 'SimpleSafetyTests - test cases.csv';

export const simpleSafetyTests: DatasetSpec = {
  name: 'simplesafetytests',
  revision: 'd7aee9a9422a5a5488f478fd79c2479c891c0f3b',
  origin: { kind: 'github', repo: 'bertiev/SimpleSafetyTests' },
  files: [{ path: FILE, format: 'csv' }],
  editions: [
    { name: 'published', rows: 100 },
    {
      name: 'filtered: four harm areas',
      rows: 80,
      sha256: { [FILE]: '23cdc6369d257c7a3710835ddd5edc9bbddef2d42dbf2b89d98011d68f947cb3' },
    },
  ],
  licence: { id: 'CC-BY-4.0', redistributable: true },
  columns: ['id', 'harm_area', 'category', 'prompts_final'],
  toItem: tableItem({
    prompt: 'prompts_final',
    category: 'harm_area',
    id: 'id',
    label: 'harmful',
  }),
  split: testOnly('simplesafetytests'),
  caveats: ['one of the five harm areas is dropped on load'],
};
