// OR-Bench (Cui et al. 2024): harmless prompts that models refuse, and a toxic control set.
import { type DatasetSpec, testOnly } from '../dataset-spec.ts';
import type { ItemLabel } from '../item.ts';
import { tableItem } from '../table-item.ts';

function orBench(name: string, file: string, label: ItemLabel): DatasetSpec {
  return {
    name,
    revision: 'main',
    origin: { kind: 'hub', repo: 'bench-llm/or-bench', gated: false },
    files: [{ path: file, format: 'csv' }],
    // Sizes differ between releases of the set, so they are reported and not checked.
    editions: [],
    licence: { id: 'CC-BY-4.0', redistributable: true },
    columns: ['prompt', 'category'],
    toItem: tableItem({ prompt: 'prompt', category: 'category', label }),
    split: testOnly(name),
    caveats: ['its three answer classes differ from XSTest: rates of the two do not compare'],
  };
}

export const orBench80k: DatasetSpec = orBench('or-bench-80k', 'or-bench-80k.csv', 'harmless');
export const orBenchHard: DatasetSpec = orBench(
  'or-bench-hard',
  'or-bench-hard-1k.csv',
  'harmless',
);
export const orBenchToxic: DatasetSpec = orBench('or-bench-toxic', 'or-bench-toxic.csv', 'harmful');
