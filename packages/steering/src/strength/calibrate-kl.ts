// Strength by effect: the factor at which the steered model's next-token distributions differ by a set amount.
import { SafeInferError } from '@safeinfer/backend';
import type { Row, Transformer } from '@safeinfer/transformer';
import { type SteeringPlan, scalePlan } from '../plan/steering-plan.ts';
import { quantile } from './distribution.ts';
import { steeredRollouts } from './steered-rollout.ts';

export interface KlCalibration {
  /** Factor on every strength of the plan. */
  readonly factor: number;
  /** The plan at that factor. */
  readonly plan: SteeringPlan;
  /** 95th percentile of the per-token KL reached. */
  readonly p95: number;
  /** Every factor tried, in order. */
  readonly curve: readonly { readonly factor: number; readonly p95: number }[];
}

/** Bracket, tolerance and budget of the search (fact sheet 1.17, iso-KL). */
const LOW = 0.01;
const HIGH = 16;
const TOLERANCE = 0.05;
const STEPS = 12;

/**
 * Finds the factor at which p95 of KL(steered || plain) per token, along the steered greedy continuation, is `target`
 * nats (default 1): regula falsi (Illinois) on log factor and log KL. Equal divergence makes strengths of different
 * layers, methods and models comparable. Throws BAD_ARGUMENT when no factor in [0.01, 16] reaches the target.
 */
export async function calibrateKl(options: {
  readonly model: Transformer;
  readonly plan: SteeringPlan;
  readonly rows: readonly Row[];
  readonly target?: number;
  readonly maxNewTokens?: number;
  readonly signal?: AbortSignal;
}): Promise<KlCalibration> {
  const { model, plan, rows, target = 1, maxNewTokens = 20, signal } = options;
  if (rows.length === 0 || !(target > 0)) {
    throw new SafeInferError(`calibration to ${target} nats on ${rows.length} prompts`, {
      code: rows.length === 0 ? 'BAD_DATASET' : 'BAD_ARGUMENT',
      hint: 'give a few harmless prompts and a positive target',
    });
  }
  const curve: { factor: number; p95: number }[] = [];
  const at = async (logFactor: number): Promise<number> => {
    const factor = Math.exp(logFactor);
    const scaled = scalePlan(plan, factor);
    const rollouts = await steeredRollouts({ model, plan: scaled, rows, maxNewTokens, signal });
    const p95 = quantile(
      rollouts.flatMap(({ kl }) => kl),
      0.95,
    );
    curve.push({ factor, p95 });
    return Math.log(Math.max(p95, 1e-12) / target);
  };
  let [a, b] = [Math.log(LOW), Math.log(HIGH)];
  let fa = await at(a);
  let fb = await at(b);
  if (fa > 0 || fb < 0) {
    const edge = fa > 0 ? curve[0]! : curve[1]!;
    throw new SafeInferError(
      `${target} nats are out of reach: factor ${edge.factor} gives ${edge.p95.toPrecision(3)}`,
      {
        code: 'BAD_ARGUMENT',
        hint:
          fa > 0
            ? 'the vector is far too long: scale it down or ask for more'
            : 'steering hardly moves this model: another layer, or no effect at all',
      },
    );
  }
  const near = (): number => Math.abs(Math.log(curve.at(-1)!.p95 / target));
  for (let step = 0; step < STEPS && near() > TOLERANCE; step += 1) {
    const c = b - (fb * (b - a)) / (fb - fa);
    const fc = await at(c);
    if (fc > 0 === fb > 0) {
      // Illinois: the end that stays twice loses weight, so that it moves.
      b = c;
      fb = fc;
      fa /= 2;
    } else {
      [a, fa, b, fb] = [b, fb, c, fc];
    }
  }
  const best = [...curve].sort(
    (x, y) => Math.abs(Math.log(x.p95 / target)) - Math.abs(Math.log(y.p95 / target)),
  )[0]!;
  return { factor: best.factor, plan: scalePlan(plan, best.factor), p95: best.p95, curve };
}
