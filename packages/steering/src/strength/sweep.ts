// A sweep over layers, strengths and head counts: chosen on one set of items, reported on another.
import { SafeInferError } from '@safeinfer/backend';
import { nextTurn } from '../next-turn.ts';
import type { SteeringPlan } from '../plan/steering-plan.ts';
import type { SteeringProgress } from '../progress.ts';

export interface SweepSetting {
  readonly layer: number;
  readonly strength: number;
  readonly heads?: number;
}

export interface SweepCell extends SweepSetting {
  /** On the selection split. */
  readonly score: number;
}

export interface SweepOutcome {
  readonly cells: readonly SweepCell[];
  readonly best: SweepCell;
  /** The best cell on items that selected nothing: the number to report. Absent without a test split. */
  readonly test?: number;
  /** How many settings the best one was chosen from. */
  readonly tried: number;
}

/**
 * Scores every setting on `select`, then, when there is one, the best one once on `test`. Higher is better; ties go
 * to the weaker strength. Throws BAD_DATASET when a split is empty or an item (by id) stands in both.
 */
export async function sweep<Item extends { readonly id: string }>(options: {
  readonly layers: readonly number[];
  readonly strengths: readonly number[];
  readonly heads?: readonly number[];
  readonly select: readonly Item[];
  readonly test?: readonly Item[];
  readonly plan: (setting: SweepSetting) => SteeringPlan | Promise<SteeringPlan>;
  readonly score: (plan: SteeringPlan, items: readonly Item[]) => Promise<number>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SteeringProgress) => void;
}): Promise<SweepOutcome> {
  const { layers, strengths, heads, select, test, plan, score, signal, onProgress } = options;
  const chosen = new Set(select.map(({ id }) => id));
  const shared = test?.find(({ id }) => chosen.has(id));
  if (select.length === 0 || test?.length === 0 || shared) {
    throw new SafeInferError(
      shared
        ? `item '${shared.id}' both selects and tests`
        : `a sweep with ${select.length} selection and ${test?.length ?? 'no'} test items`,
      { code: 'BAD_DATASET', hint: 'choose on one split and report on a disjoint one' },
    );
  }
  const settings = layers.flatMap((layer) =>
    strengths.flatMap((strength): SweepSetting[] =>
      heads ? heads.map((count) => ({ layer, strength, heads: count })) : [{ layer, strength }],
    ),
  );
  if (settings.length === 0) {
    throw new SafeInferError('a sweep over nothing', {
      code: 'BAD_ARGUMENT',
      hint: 'name at least one layer and one strength',
    });
  }
  const cells: SweepCell[] = [];
  for (const setting of settings) {
    await nextTurn(signal);
    const value = await score(await plan(setting), select);
    if (!Number.isFinite(value)) {
      throw new SafeInferError(
        `layer ${setting.layer}, strength ${setting.strength} scored ${value}`,
        {
          code: 'NON_FINITE',
          hint: 'scores are finite numbers; count undecided items apart',
        },
      );
    }
    cells.push({ ...setting, score: value });
    onProgress?.({ phase: 'sweep', done: cells.length, total: settings.length });
  }
  const best = [...cells].sort(
    (a, b) => b.score - a.score || Math.abs(a.strength) - Math.abs(b.strength),
  )[0]!;
  return {
    cells,
    best,
    ...(test ? { test: await score(await plan(best), test) } : {}),
    tried: cells.length,
  };
}
