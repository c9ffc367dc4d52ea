// A loaded set of prompts: items with identities, and the report of how they were loaded.
import { HarmEvalError } from '../harm-eval-error.ts';
import type { DatasetSpec, Licence, SplitRule } from './dataset-spec.ts';
import { type Item, itemId } from './item.ts';
import {
  type DatasetFiles,
  type LoadReport,
  type ReadSourceOptions,
  readSource,
} from './read-source.ts';

export interface Dataset {
  readonly name: string;
  readonly revision: string;
  readonly licence: Licence;
  readonly split: SplitRule;
  readonly items: readonly Item[];
  readonly report: LoadReport;
}

/**
 * Builds a dataset from the bytes of its files.
 * @throws HarmEvalError `WRONG_DATASET` (columns, missing file), `BAD_DATASET` (rows, hash), `BAD_FILE` (syntax, with line)
 */
export async function loadDataset(
  spec: DatasetSpec,
  files: DatasetFiles,
  options: ReadSourceOptions = {},
): Promise<Dataset> {
  const { records, report } = await readSource(spec, files, options);
  const items: Item[] = [];
  const seen = new Set<string>();
  for (const { item: raw } of records) {
    const id = itemId({
      dataset: spec.name,
      revision: spec.revision,
      prompt: raw.prompt,
      context: raw.context,
    });
    if (seen.has(id)) continue;
    seen.add(id);
    items.push({
      id,
      sourceId: raw.sourceId,
      dataset: spec.name,
      prompt: raw.prompt,
      label: raw.label,
      category: raw.category ?? null,
      cluster: raw.cluster ?? id,
      ...(raw.context === undefined ? {} : { context: raw.context }),
    });
  }
  if (items.length === 0) {
    throw new HarmEvalError(`${spec.name}: no usable row`, {
      code: 'BAD_DATASET',
      hint: 'every row was empty or dropped: check that this is the right file',
    });
  }
  return {
    name: spec.name,
    revision: spec.revision,
    licence: spec.licence,
    split: spec.split,
    items,
    report: { ...report, droppedDuplicates: records.length - items.length },
  };
}

/** A dataset with some of its items; everything else stays. */
export function withItems(dataset: Dataset, items: readonly Item[]): Dataset {
  return { ...dataset, items };
}
