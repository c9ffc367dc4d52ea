// How many rows may fail before a run stops: a number, or a share of all.
import { SafeInferError } from '@safeinfer/backend';
import { HarmEvalError } from '@safeinfer/harmeval';
import type { Experiment } from '../config/experiment-schema.ts';
import type { Collected } from '../store/stored-generate.ts';

export interface FailureBudget {
  /** @throws the first failure's own error once there are more than the experiment tolerates */
  count(done: Pick<Collected, 'failures' | 'error'>): void;
}

export function failureBudget(experiment: Experiment, trials: number): FailureBudget {
  const { maxFailures } = experiment;
  const limit =
    typeof maxFailures === 'number'
      ? maxFailures
      : Math.floor((Number.parseFloat(maxFailures) / 100) * trials);
  let failed = 0;
  return {
    count({ failures, error }) {
      failed += failures.size;
      if (failed <= limit) return;
      if (SafeInferError.isInstance(error) || HarmEvalError.isInstance(error)) throw error;
      const [first] = failures.values();
      throw new HarmEvalError(`${failed} answers failed, the first: ${first?.message}`, {
        code: 'TOO_MANY_ERRORS',
        hint: `maxFailures is ${maxFailures}; finished answers are kept`,
        cause: error,
      });
    },
  };
}
