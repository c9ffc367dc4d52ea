// HEx-PHI (Qi et al. 2023): gated, own agreement, never redistributed. One category was removed by its authors.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { readCsv } from '../read-csv.ts';
import { cellText } from '../row.ts';

const CATEGORIES: Readonly<Record<string, string>> = {
  category_1: 'Illegal Activity',
  category_3: 'Hate/Harass/Violence',
  category_4: 'Malware',
  category_5: 'Physical Harm',
  category_6: 'Economic Harm',
  category_7: 'Fraud/Deception',
  category_8: 'Adult Content',
  category_9: 'Political Campaigning',
  category_10: 'Privacy Violation Activity',
  category_11: 'Tailored Financial Advice',
};

export const hexPhi: DatasetSpec = {
  name: 'hex-phi',
  revision: 'main',
  origin: { kind: 'hub', repo: 'LLM-Tuning-Safety/HEx-PHI', gated: true },
  files: Object.keys(CATEGORIES).map((name) => ({
    path: `${name}.csv`,
    format: 'csv',
  })),
  editions: [{ name: 'ten categories', rows: 300 }],
  licence: {
    id: 'custom',
    redistributable: false,
    note: 'HEx-PHI agreement: no redistribution, manual approval',
  },
  columns: ['prompt'],
  // No header, one prompt a row, and commas that may stand without quotes.
  readRows: (text, file) => readCsv(text, { header: ['prompt'], singleColumn: true, file }),
  toItem: (row, file) => {
    const prompt = cellText(row, 'prompt').trim();
    const name = /category_\d+/u.exec(file)?.[0] ?? '';
    if (prompt === '') return null;
    return {
      sourceId: `${name}/${row.row}`,
      prompt,
      label: 'harmful',
      category: CATEGORIES[name] ?? null,
    };
  },
  split: testOnly('hex-phi'),
  caveats: [
    '30 rows in each category are inferred; the published 330 include the removed category',
  ],
};
