// Conditions frozen at the prompt, decided before a generation: one decision a row and operation.
import { SafeInferError } from '@safeinfer/backend';
import type { HookName, Row, Transformer } from '@safeinfer/transformer';
import {
  type Condition,
  conditionScore,
  conditionsOf,
  fires,
  isPerToken,
  ruleHolds,
} from './condition.ts';
import { pointOf } from './operation.ts';
import type { SteeringPlan } from './steering-plan.ts';

/**
 * Runs each row's prompt unsteered, up to the last layer a condition reads, and decides. Operations without such a
 * condition are true. Caches given with rows are read, not extended. Throws NON_FINITE when a score is not a number
 * and BAD_ARGUMENT when a mean is asked for of a prompt that is partly cached.
 */
export async function decideConditions(options: {
  readonly model: Transformer;
  readonly plan: SteeringPlan;
  readonly rows: readonly Row[];
  readonly signal?: AbortSignal | undefined;
}): Promise<boolean[][]> {
  const { model, plan, rows, signal } = options;
  const decisions = rows.map(() => plan.operations.map(() => true));
  const frozen = plan.operations.flatMap(({ condition }, index) =>
    condition && !isPerToken(condition) ? [{ rule: condition, index }] : [],
  );
  const leaves = frozen.flatMap(({ rule }) => conditionsOf(rule));
  if (frozen.length === 0 || rows.length === 0) return decisions;
  const capture = [...new Set(leaves.map((condition): HookName => pointOf(condition)))];
  const whole = leaves.some(({ pool }) => pool === 'mean');
  const caches = rows.map(({ cache }) => cache?.fork());
  try {
    rows.forEach(({ cache }, row) => {
      if (!whole || !cache?.length) return;
      throw new SafeInferError(`row ${row}: its prompt is cached, so its mean cannot be read`, {
        code: 'BAD_ARGUMENT',
        hint: "decide before filling the cache, or use pool: 'last'",
      });
    });
    using result = model.forward(
      rows.map(({ cache: _, ...row }, i) => ({
        ...row,
        ...(caches[i] ? { cache: caches[i] } : {}),
      })),
      {
        capture,
        logits: 'none',
        ...(whole ? {} : { capturePositions: [-1] }),
        ...(signal ? { signal } : {}),
      },
    );
    for (const [row, own] of decisions.entries()) {
      for (const { rule, index } of frozen) {
        const fired = new Map<Condition, boolean>();
        // Every score is looked at, also where the others already decide: NaN never passes unseen.
        for (const condition of conditionsOf(rule)) {
          const values = await result.captured(row, pointOf(condition)).data();
          const score = conditionScore(condition, pooled(condition, values as Float32Array));
          if (!Number.isFinite(score)) {
            throw new SafeInferError(
              `the condition of operation ${index} is ${score} on row ${row}`,
              {
                code: 'NON_FINITE',
                hint: 'look for NaN or zero activations at its layer; a condition never fires on NaN',
              },
            );
          }
          fired.set(condition, fires(condition, score));
        }
        own[index] = ruleHolds(rule, (condition) => fired.get(condition)!);
      }
    }
    return decisions;
  } finally {
    for (const cache of caches) cache?.dispose();
  }
}

/** The scored vector: the last captured token, or the mean over them. */
function pooled(condition: Condition, values: Float32Array): Float64Array {
  const width = condition.vector.length;
  const tokens = values.length / width;
  const first = condition.pool === 'mean' ? 0 : tokens - 1;
  const sum = new Float64Array(width);
  for (let token = first; token < tokens; token += 1) {
    for (let i = 0; i < width; i += 1) sum[i]! += values[token * width + i]! / (tokens - first);
  }
  return sum;
}
