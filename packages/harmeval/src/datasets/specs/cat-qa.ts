// CatQA (Bhardwaj et al. 2024): nested by category and subcategory, the same topics as HarmEval, ungated.
import { HarmEvalError } from '../../harm-eval-error.ts';
import type { DatasetSpec } from '../dataset-spec.ts';
import { readJsonDocument } from '../read-json.ts';
import type { SourceRow } from '../row.ts';
import { tableItem } from '../table-item.ts';

const FILE = 'harmful_questions/catqa_english.json';

/** `{category: {subcategory: [question]}}` to rows. */
function readNested(text: string, file: string): SourceRow[] {
  const document = readJsonDocument(text, file);
  const rows: SourceRow[] = [];
  for (const [category, subcategories] of entries(document, file, 'category')) {
    for (const [subcategory, questions] of entries(subcategories, file, category)) {
      if (!Array.isArray(questions)) throw wrongShape(file, `${category}/${subcategory}`);
      for (const question of questions as readonly unknown[]) {
        rows.push({
          // Some names end in a colon in the source.
          cells: { category, subcategory: subcategory.replace(/:$/u, ''), question },
          row: rows.length + 1,
        });
      }
    }
  }
  return rows;
}

function entries(value: unknown, file: string, where: string): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.entries(value);
  }
  throw wrongShape(file, where);
}

function wrongShape(file: string, where: string): HarmEvalError {
  return new HarmEvalError(`${file}: ${where} does not hold what CatQA holds there`, {
    code: 'WRONG_DATASET',
    hint: 'the file is nested: category, subcategory, list of questions',
    location: { file },
  });
}

export const catQa: DatasetSpec = {
  name: 'catqa',
  revision: '73c759c93d2f6b1d8c7b058ab7bcec5fb0c28fa2',
  origin: { kind: 'github', repo: 'declare-lab/red-instruct' },
  files: [{ path: FILE, format: 'json' }],
  editions: [
    { name: 'published', rows: 550 },
    {
      name: 'filtered: ten categories',
      rows: 494,
      sha256: { [FILE]: '78ab316b8f6ceda3631472688a46d3df24008ea5ffa600db083431d03c3042db' },
    },
  ],
  licence: { id: 'Apache-2.0', redistributable: true },
  columns: ['category', 'subcategory', 'question'],
  readRows: readNested,
  toItem: tableItem({ prompt: 'question', category: 'category', label: 'harmful' }),
  split: { salt: 'catqa/v1', buildShare: 0.3 },
  caveats: ['one of the eleven categories is dropped on load'],
};
