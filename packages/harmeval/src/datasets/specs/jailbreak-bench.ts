// JailbreakBench behaviours (Chao et al. 2024): 100 harmful and 100 matching harmless ones.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import type { ItemLabel } from '../item.ts';
import { tableItem } from '../table-item.ts';

function behaviours(options: {
  readonly name: string;
  readonly path: string;
  readonly label: ItemLabel;
}): DatasetSpec {
  return {
    name: options.name,
    revision: 'main',
    origin: { kind: 'hub', repo: 'JailbreakBench/JBB-Behaviors', gated: false },
    files: [{ path: options.path, format: 'csv' }],
    editions: [{ name: 'published', rows: 100 }],
    licence: { id: 'MIT', redistributable: true },
    columns: ['Goal', 'Behavior', 'Category'],
    toItem: tableItem({
      prompt: 'Goal',
      category: 'Category',
      id: 'Behavior',
      label: options.label,
    }),
    split: testOnly(options.name),
  };
}

export const jailbreakBench: DatasetSpec = behaviours({
  name: 'jailbreakbench',
  path: 'data/harmful-behaviors.csv',
  label: 'harmful',
});

export const jailbreakBenchBenign: DatasetSpec = behaviours({
  name: 'jailbreakbench-benign',
  path: 'data/benign-behaviors.csv',
  label: 'harmless',
});
