// What steering costs: divergence, likelihood of fixed text, repetition, length, language, multiple choice.
import type { Row, Transformer } from '@safeinfer/transformer';
import { lastLogitsOf } from '../extract/refusal-direction.ts';
import { decideConditions } from '../plan/decide-conditions.ts';
import { steerRows } from '../plan/steer-rows.ts';
import { mapOperations, type SteeringPlan } from '../plan/steering-plan.ts';
import { toInterventions } from '../plan/to-interventions.ts';
import { logProbabilities, quantile } from '../strength/distribution.ts';
import type { Rollout } from '../strength/steered-rollout.ts';
import type { ArmAnswers } from './arm-answers.ts';
import { distinctShare, longestRepeat } from './repetition.ts';
import { languageChange } from './script-change.ts';
import { type Interval, mcNemar, wilson } from './statistics.ts';

/** A multiple-choice question: the option whose first token is likeliest is the answer given. */
export interface CapabilityItem {
  readonly id: string;
  readonly row: Row;
  readonly options: readonly number[];
  readonly answer: number;
}

export interface Damage {
  readonly kl: { readonly mean: number; readonly p95: number; readonly max: number };
  /** Change of mean negative log-likelihood on fixed text, in nats a token, and the perplexities. */
  readonly perplexity?: { readonly plain: number; readonly steered: number };
  readonly distinctBigrams: { readonly plain: number; readonly steered: number };
  readonly longestRepeat: { readonly plain: number; readonly steered: number };
  readonly length: { readonly plain: number; readonly steered: number };
  readonly stopped: { readonly plain: number; readonly steered: number };
  /** Share of harmless answers written in another script than the plain model's. */
  readonly language: { readonly changed: number; readonly compared: number };
  readonly capability?: {
    readonly plain: Interval;
    readonly steered: Interval;
    readonly mcNemar: number;
  };
}

interface DamageOptions {
  readonly model: Transformer;
  readonly plan: SteeringPlan;
  readonly texts?: readonly (readonly number[])[];
  readonly capability?: readonly CapabilityItem[];
  readonly detectLanguage?: (text: string) => string | undefined;
  /** Answers to the harmless requests, plain and steered. */
  readonly before: ArmAnswers;
  readonly after: ArmAnswers;
  readonly signal?: AbortSignal;
}

/** What the plan does to answers to harmless requests, to the likelihood of fixed text, and to multiple choice. */
export async function damageOf(options: DamageOptions): Promise<Damage> {
  const { texts = [], capability = [], plan, before, after, detectLanguage } = options;
  const [plain, steered] = [before.rollouts, after.rollouts];
  const kl = steered.flatMap((rollout) => rollout.kl);
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const both = (of: (rollout: Rollout) => number): { plain: number; steered: number } => ({
    plain: mean(plain.map(of)),
    steered: mean(steered.map(of)),
  });
  const none: SteeringPlan = { operations: [] };
  return {
    kl: { mean: mean(kl), p95: quantile(kl, 0.95), max: Math.max(...kl) },
    ...(texts.length
      ? {
          perplexity: {
            plain: await perplexity(options, none),
            steered: await perplexity(options, plan),
          },
        }
      : {}),
    distinctBigrams: both(({ tokens }) => distinctShare(tokens)),
    longestRepeat: both(({ tokens }) => longestRepeat(tokens)),
    length: both(({ tokens }) => tokens.length),
    stopped: both(({ stopped }) => (stopped ? 1 : 0)),
    language: languageChange(before.texts, after.texts, detectLanguage),
    ...(capability.length ? { capability: await capabilityOf(options) } : {}),
  };
}

async function perplexity(
  { model, texts = [], signal }: DamageOptions,
  plan: SteeringPlan,
): Promise<number> {
  let [loss, count] = [0, 0];
  for (const tokens of texts) {
    const [decisions] = await decideConditions({ model, plan, rows: [{ tokens }], signal });
    // As if every token after the first had been generated: 'last' then means each of them, not the text's end.
    const forced = mapOperations(plan, (operation) =>
      operation.positions === 'last' ? { ...operation, positions: { from: -1 } } : operation,
    );
    const interventions = toInterventions(forced, { promptLength: 1, decisions: decisions! });
    using result = model.forward([{ tokens, interventions }], { logits: 'all' });
    const logits = (await result.logits(0).data()) as Float32Array;
    const width = model.config.vocabSize;
    for (let i = 0; i + 1 < tokens.length; i += 1) {
      loss -= logProbabilities(logits.subarray(i * width, (i + 1) * width))[tokens[i + 1]!]!;
      count += 1;
    }
  }
  return Math.exp(loss / count);
}

async function capabilityOf(
  options: DamageOptions,
): Promise<{ plain: Interval; steered: Interval; mcNemar: number }> {
  const { model, plan, capability = [], signal } = options;
  const right = async (own: SteeringPlan): Promise<boolean[]> => {
    const rows = await steerRows({
      model,
      plan: own,
      rows: capability.map(({ row }) => row),
      signal,
    });
    const logits = await lastLogitsOf({ model, rows, signal });
    return capability.map(({ options: ids, answer }, i) => {
      const scores = ids.map((id) => logits[i]![id]!);
      return scores.indexOf(Math.max(...scores)) === answer;
    });
  };
  const [before, after] = [await right({ operations: [] }), await right(plan)];
  const rate = (values: readonly boolean[]): Interval =>
    wilson(values.filter(Boolean).length, values.length);
  return { plain: rate(before), steered: rate(after), mcNemar: mcNemar(before, after) };
}
