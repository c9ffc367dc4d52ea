// HarmBench text behaviours (Mazeika et al. 2024): 200 standard, 100 contextual, 100 copyright.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import { tableItem } from '../table-item.ts';

export const harmBench: DatasetSpec = {
  name: 'harmbench',
  revision: 'main',
  origin: { kind: 'github', repo: 'centerforaisafety/HarmBench' },
  files: [{ path: 'data/behavior_datasets/harmbench_behaviors_text_all.csv', format: 'csv' }],
  editions: [
    { name: 'all', rows: 400 },
    { name: 'test', rows: 320 },
    { name: 'validation', rows: 80 },
  ],
  licence: { id: 'MIT', redistributable: true },
  columns: ['Behavior', 'FunctionalCategory', 'SemanticCategory', 'ContextString', 'BehaviorID'],
  toItem: (row) => {
    const item = tableItem({
      prompt: 'Behavior',
      category: 'SemanticCategory',
      id: 'BehaviorID',
      context: 'ContextString',
      label: 'harmful',
    })(row);
    // Copyright rows are judged by overlap with a reference text, which no classifier here can do.
    return row.cells['FunctionalCategory'] === 'copyright' ? null : item;
  },
  split: testOnly('harmbench'),
  caveats: ['the 100 copyright rows need the hash-based judge and are left out (counted as empty)'],
};
