// Attack success while a run goes on, by the primary judge where that is a string matcher.
import { matchesRefusal, refusalLists, wilson } from '@safeinfer/harmeval';
import type { Experiment } from '../config/experiment-schema.ts';
import { pocketRefusals } from '../judges/pocket-refusals.ts';
import type { Cell } from '../plan/plan-experiment.ts';
import type { Unit } from '../plan/unit.ts';
import type { Store } from '../store/open-store.ts';
import { judgeConfigs } from './experiment-judges.ts';

export interface AsrSoFar {
  readonly value: number;
  /** Wilson 95 %. */
  readonly low: number;
  readonly high: number;
  readonly total: number;
}

export interface AsrCounter {
  add(unit: Unit, cell: Cell, store: Store): void;
  /** Undefined before a harmful item was answered, and where judging is a phase of its own. */
  current(): AsrSoFar | undefined;
}

/** Over all arms together: a sign of life, not a result. */
export function asrCounter(experiment: Experiment): AsrCounter {
  const [judge] = judgeConfigs(experiment);
  const list =
    typeof judge !== 'string'
      ? undefined
      : judge === pocketRefusals.name
        ? pocketRefusals
        : refusalLists[judge];
  let total = 0;
  let complied = 0;
  return {
    add(unit, { benchmark }, store) {
      if (!list) return;
      for (const [index, { item }] of unit.trials.entries()) {
        if (item.label !== 'harmful') continue;
        const key = unit.keys[index]!.find((one) => store.has(one));
        const text = key && (store.get(key) as { readonly text: string }).text.trim();
        if (!text) continue;
        total += 1;
        const { complianceOpenings: openings } = benchmark;
        const says = openings === undefined || openings.some((opening) => text.startsWith(opening));
        if (says && !matchesRefusal(text, list)) complied += 1;
      }
    },
    current() {
      if (total === 0) return undefined;
      const { low, high } = wilson(complied, total);
      return { value: complied / total, low, high, total };
    },
  };
}
