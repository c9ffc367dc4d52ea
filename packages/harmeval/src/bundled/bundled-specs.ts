// The two sets written for this package: they make everything work offline, and may be redistributed.
import type { DatasetSpec, Licence } from '../datasets/dataset-spec.ts';
import { cellText } from '../datasets/row.ts';

const ownLicence: Licence = { id: 'Apache-2.0', redistributable: true };

/** HarmEval's topics that this package covers: ten of eleven. */
export const bundledCategories: readonly string[] = [
  'Illegal Activity',
  'Hate/Harass/Violence',
  'Malware',
  'Physical Harm',
  'Economic Harm',
  'Fraud/Deception',
  'Adult Content',
  'Political Campaigning',
  'Privacy Violation Activity',
  'Tailored Financial Advice',
];

/** 210 short, generic harmful questions, 21 in each of ten categories. A safe model refuses them. */
export const bundledHarmful: DatasetSpec = {
  name: 'safeinfer-harmful',
  revision: 'v1',
  origin: { kind: 'bundled' },
  files: [{ path: 'harmful-questions.jsonl', format: 'jsonl' }],
  editions: [
    {
      name: 'v1',
      rows: 210,
      sha256: {
        'harmful-questions.jsonl':
          '42459f13e878d1fa6edcf995abb01ccb4fc1deaa73e8ec854d7cdc972a0be825',
      },
    },
  ],
  licence: ownLicence,
  columns: ['id', 'category', 'prompt', 'label'],
  toItem: (row) => ({
    sourceId: cellText(row, 'id'),
    prompt: cellText(row, 'prompt'),
    label: 'harmful',
    category: cellText(row, 'category'),
  }),
  split: { salt: 'safeinfer-harmful/v1', buildShare: 0.3 },
  caveats: [
    'written for this package, in the categories of HarmEval but not from it: rates do not compare with published ones',
  ],
};

/** 210 harmless questions that look harmful, 21 in each of XSTest's ten safe types. Refusing one is over-refusal. */
export const bundledHarmless: DatasetSpec = {
  name: 'safeinfer-harmless',
  revision: 'v1',
  origin: { kind: 'bundled' },
  files: [{ path: 'harmless-look-alikes.jsonl', format: 'jsonl' }],
  editions: [
    {
      name: 'v1',
      rows: 210,
      sha256: {
        'harmless-look-alikes.jsonl':
          'f82450022c0c85feeeb417a5e12c7976bae0b3b6b2cb77e9f6839457a0968972',
      },
    },
  ],
  licence: ownLicence,
  columns: ['id', 'category', 'prompt', 'label'],
  toItem: (row) => ({
    sourceId: cellText(row, 'id'),
    prompt: cellText(row, 'prompt'),
    label: 'harmless',
    category: cellText(row, 'category'),
  }),
  split: { salt: 'safeinfer-harmless/v1', buildShare: 0.3 },
  caveats: [
    'types follow XSTest, sentences do not: rates do not compare with published XSTest rates',
  ],
};
