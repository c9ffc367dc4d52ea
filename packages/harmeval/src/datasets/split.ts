// The held-out split: decided by a hash of the item, so that nobody can tune on what is scored.
import { sha256 } from '../canonical-hash.ts';
import type { Dataset } from './dataset.ts';
import { withItems } from './dataset.ts';
import type { SplitRule } from './dataset-spec.ts';
import type { Item } from './item.ts';

export type SplitPart = 'build' | 'test';

/** `build` items may make a safety vector or an unsafe adapter; `test` items may be scored. Never both. */
export function splitPart(item: Pick<Item, 'id'>, rule: SplitRule): SplitPart {
  const fraction =
    Number.parseInt(sha256(`${rule.salt}/${item.id}`).slice(0, 8), 16) / 0x1_0000_0000;
  return fraction < rule.buildShare ? 'build' : 'test';
}

/** The items of one part, in the order of the dataset. */
export function selectPart(dataset: Dataset, part: SplitPart): Dataset {
  return withItems(
    dataset,
    dataset.items.filter((item) => splitPart(item, dataset.split) === part),
  );
}
