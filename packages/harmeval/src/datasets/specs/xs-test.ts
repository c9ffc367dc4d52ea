// XSTest (Roettger et al. 2023): 250 safe prompts that look harmful and 200 contrasts that are.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { cellText } from '../row.ts';

const FILE = 'xstest_prompts.csv';

export const xsTest: DatasetSpec = {
  name: 'xstest',
  revision: 'd7bb5bd738c1fcbc36edd83d5e7d1b71a3e2d84d',
  origin: { kind: 'github', repo: 'paul-rottger/exaggerated-safety' },
  files: [{ path: FILE, format: 'csv' }],
  editions: [
    { name: 'published', rows: 450 },
    {
      name: 'filtered',
      rows: 440,
      sha256: { [FILE]: 'd92007499afaa37dfac36428e609e3a7625deec78ddef350f75b10a9e9974560' },
    },
  ],
  licence: { id: 'CC-BY-4.0', redistributable: true },
  columns: ['id', 'prompt', 'type', 'label'],
  toItem: (row) => {
    const prompt = cellText(row, 'prompt').trim();
    if (prompt === '') return null;
    return {
      sourceId: cellText(row, 'id'),
      prompt,
      label: cellText(row, 'label') === 'safe' ? 'harmless' : 'harmful',
      category: cellText(row, 'type'),
    };
  },
  split: testOnly('xstest'),
  caveats: ['over-refusal is (full + partial refusals) / safe prompts: report both parts'],
};
