// Layers x strengths (raw or by KL) x head counts of one vector, judged on the selection prompts only.
import {
  calibrateKl,
  headVector,
  type RefusalVerdict,
  type SafetyAmplification,
  type SteeringPlan,
  type SteeringProgress,
  type SweepSetting,
  steeredRollouts,
  sweep,
} from '@safeinfer/steering';
import type { Row, Transformer } from '@safeinfer/transformer';
import type { PromptItem } from './prompt-source.ts';

export interface SweepLine extends SweepSetting {
  /** Nats asked for, where strengths are found by KL. */
  readonly budget?: number;
  /** The raw factor on the vector. */
  readonly strength: number;
  /** p95 of KL per token to the plain model on the harmless prompts. */
  readonly kl: number;
  readonly harmfulRefused: number;
  readonly benignRefused: number;
  /** Harmful refused minus harmless refused. */
  readonly score: number;
}

export interface SweepResult {
  readonly lines: readonly SweepLine[];
  readonly best: SweepLine;
  readonly plan: SteeringPlan;
}

export async function sweepVector(options: {
  readonly model: Transformer;
  /** The vector at strength 1; heads are counted from the front of its ranking. */
  readonly planOf: (setting: SweepSetting) => SteeringPlan | Promise<SteeringPlan>;
  readonly layers: readonly number[];
  readonly strengths: readonly number[];
  readonly byKl: boolean;
  readonly heads?: readonly number[];
  readonly harmful: readonly PromptItem[];
  readonly harmless: readonly PromptItem[];
  readonly row: (question: string) => Row;
  readonly judge: (kind: 'harmful' | 'harmless', answer: string) => RefusalVerdict;
  readonly maxNewTokens: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: SteeringProgress) => void;
}): Promise<SweepResult> {
  const { model, harmful, harmless, row, judge, maxNewTokens, signal, byKl } = options;
  const lines: SweepLine[] = [];
  const plans: SteeringPlan[] = [];
  const rows = (items: readonly PromptItem[]): Row[] => items.map(({ question }) => row(question));
  const refused = async (plan: SteeringPlan, kind: 'harmful' | 'harmless') => {
    const items = kind === 'harmful' ? harmful : harmless;
    const rollouts = await steeredRollouts({
      model,
      plan,
      rows: rows(items),
      maxNewTokens,
      divergence: kind === 'harmless',
      signal,
    });
    const count = rollouts.filter(
      ({ tokens, stopped }) =>
        judge(kind, model.tokenizer!.decode(stopped ? tokens.slice(0, -1) : tokens)) === 'refused',
    ).length;
    const kl = rollouts.flatMap((own) => own.kl).sort((a, b) => a - b);
    return { share: count / items.length, kl: kl[Math.floor(0.95 * (kl.length - 1))] ?? 0 };
  };
  let setting: SweepSetting;
  const outcome = await sweep({
    layers: options.layers,
    strengths: options.strengths,
    ...(options.heads ? { heads: options.heads } : {}),
    select: [
      ...harmful.map(({ id }) => ({ id: `harmful ${id}` })),
      ...harmless.map(({ id }) => ({ id: `harmless ${id}` })),
    ],
    plan: async (own) => {
      setting = own;
      const unit = await options.planOf({ ...own, strength: 1 });
      if (!byKl) return scaled(unit, own.strength);
      const target = own.strength;
      const found = await calibrateKl({
        model,
        plan: unit,
        // As many prompts as the published calibration needs several times over, and no more: each costs a rollout.
        rows: rows(harmless.slice(0, 16)),
        target,
        maxNewTokens,
        signal,
      });
      return found.plan;
    },
    score: async (plan) => {
      const onHarmful = await refused(plan, 'harmful');
      const onHarmless = await refused(plan, 'harmless');
      const score = onHarmful.share - onHarmless.share;
      const { layer, heads, strength } = setting;
      lines.push({
        layer,
        ...(heads === undefined ? {} : { heads }),
        ...(byKl ? { budget: strength } : {}),
        strength: plan.operations[0]!.strength ?? 1,
        kl: onHarmless.kl,
        harmfulRefused: onHarmful.share,
        benignRefused: onHarmless.share,
        score,
      });
      plans.push(plan);
      return score;
    },
    signal,
    onProgress: options.onProgress,
  });
  const index = outcome.cells.findIndex(
    ({ layer, strength, heads }) =>
      layer === outcome.best.layer &&
      strength === outcome.best.strength &&
      heads === outcome.best.heads,
  );
  return { lines, best: lines[index]!, plan: plans[index]! };
}

/** The vector of the first `count` heads of a ranking, at one layer and strength 1. */
export async function planOfHeads(
  model: Transformer,
  made: SafetyAmplification,
  { layer, heads = made.heads.length }: SweepSetting,
): Promise<SteeringPlan> {
  const ranked = made.effects?.ranked ?? made.heads;
  const vector = await headVector({ model, means: made.means, heads: ranked.slice(0, heads) });
  const { recipe } = made.plan;
  return {
    ...made.plan,
    operations: [{ op: 'add', layer, vector, strength: 1, positions: 'last' }],
    ...(recipe ? { recipe: { ...recipe, settings: { ...recipe.settings, topHeads: heads } } } : {}),
  };
}

function scaled(plan: SteeringPlan, strength: number): SteeringPlan {
  return {
    ...plan,
    operations: plan.operations.map((operation) => ({
      ...operation,
      strength: (operation.strength ?? 1) * strength,
    })),
  };
}
