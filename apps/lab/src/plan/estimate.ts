// What a plan will cost: what is stored already, forward passes and tokens of the rest, and time from measured rates.

import type { Store } from '../store/open-store.ts';
import type { ExperimentPlan } from './plan-experiment.ts';

export interface CellEstimate {
  readonly edit: string;
  readonly arm: string;
  readonly style: string;
  readonly benchmark: string;
  readonly repeat: number;
  readonly items: number;
  readonly stored: number;
}

export interface PlanEstimate {
  readonly cells: readonly CellEstimate[];
  readonly trials: number;
  readonly stored: number;
  /** Of the trials that are left, at most: every answer as long as allowed, every term of every formula running. */
  readonly generatedTokens: number;
  readonly forwardRows: number;
  /** From answers a second that this store has seen of the model; null before the first run. */
  readonly seconds: number | null;
}

/** Rows of forward passes that this process has made, and in what time. */
export interface Measured {
  rows: number;
  seconds: number;
}

/** Name of the measured rate in the store. */
export function rateName(modelSha256: string, backend: string): string {
  return `rate ${modelSha256} ${backend}`;
}

/** Rows that a guided token needs: the arm's own model and every other term. */
export function termsOf(plan: Pick<ExperimentPlan, 'arms'>, arm: number): number {
  const { guide } = plan.arms[arm]!.arm;
  if (!guide || guide.safetyPrompt) return 1;
  if (guide.dexperts || guide.proxyTuning) return 3;
  return guide.lma ? 1 + Object.keys(guide.lma.terms).length : 2;
}

export function estimatePlan(options: {
  readonly plan: ExperimentPlan;
  readonly store: Store | undefined;
  readonly rate: string;
}): PlanEstimate {
  const { plan, store } = options;
  const { maxNewTokens } = plan.experiment;
  const known = knownKeys(store);
  let rows = 0;
  const cells = plan.cells.map((cell): CellEstimate => {
    let stored = 0;
    if (known.size > 0)
      for (const { keys } of plan.unitsOf(cell))
        for (const own of keys) if (own.some((key) => known.has(key))) stored += 1;
    const items = cell.benchmark.dataset.items.length;
    rows += (items - stored) * maxNewTokens * termsOf(plan, cell.arm);
    return {
      edit: plan.edits[cell.edit]!.name,
      arm: plan.arms[cell.arm]!.arm.name,
      style: cell.benchmark.style.id,
      benchmark: cell.benchmark.name,
      repeat: cell.repeat,
      items,
      stored,
    };
  });
  const stored = cells.reduce((sum, cell) => sum + cell.stored, 0);
  const rate = store?.recall(options.rate) as { readonly rowsPerSecond: number } | undefined;
  return {
    cells,
    trials: plan.trials,
    stored,
    generatedTokens: (plan.trials - stored) * maxNewTokens,
    forwardRows: rows,
    seconds: rate && rate.rowsPerSecond > 0 ? rows / rate.rowsPerSecond : null,
  };
}

/** Addresses of all answers and failures: one read instead of a question for every trial. */
function knownKeys(store: Store | undefined): ReadonlySet<string> {
  if (!store) return new Set();
  const rows = store.database.prepare('SELECT key FROM content UNION ALL SELECT key FROM failure');
  return new Set((rows.raw().all() as [string][]).map(([key]) => key));
}
