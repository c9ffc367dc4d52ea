// ROME: one fact as a rank-one change of one MLP down projection (Meng et al. 2022).
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import type { RankOneDelta } from '../delta/weight-delta.ts';
import { dot, meanVector, norm } from '../linear-algebra/vector.ts';
import { readLookups } from '../lookup/read-lookups.ts';
import type { EditRequest, FactToken } from '../request/edit-request.ts';
import { checkLayer, prepareEdit } from '../request/prepare-edit.ts';
import { identityMoment, type SecondMoment, solveMoment } from '../second-moment/second-moment.ts';
import {
  type OptimisedValue,
  optimiseValue,
  VALUE_DEFAULTS,
  type ValueOptions,
  valuePoint,
  valueSettings,
} from '../value/optimise-value.ts';

/**
 * Whose key stands where. `original`: u from the prefix-averaged key, residual and denominator from the bare
 * prompt's key (the published code; collapses when the subject is the first token). `averaged`: one averaged key
 * everywhere (r-ROME). `prompt`: the bare prompt's key everywhere (p-ROME).
 */
export type KeyChoice = 'original' | 'averaged' | 'prompt';

export interface RomeOptions extends Partial<ValueOptions> {
  readonly model: Transformer;
  readonly request: EditRequest;
  readonly layer: number;
  readonly factToken?: FactToken;
  readonly keys?: KeyChoice;
  readonly moment?: SecondMoment;
  /** Texts with one `{}` that the prompt is put into; the first must be `{}`. */
  readonly contextTemplates?: readonly string[];
  /** A value of an earlier call with the same request, layer and templates: it does not depend on keys or moment. */
  readonly value?: OptimisedValue;
  readonly signal?: AbortSignal;
}

export interface RomeEdit {
  readonly request: EditRequest;
  readonly layer: number;
  readonly delta: RankOneDelta;
  readonly value: OptimisedValue;
  readonly losses: readonly number[];
  /** Warnings a user should look at before trusting the edit. */
  readonly alarms: {
    /** u . k: near zero means a huge update. */
    readonly denominator: number;
    /** |u . k| / |k|: the denominator without the key's scale, between 0 and 1. */
    readonly relativeDenominator: number;
    /** Cosine of averaged and bare key; far below 1 is the collapse case of original ROME. */
    readonly keyCosine: number;
    /** The subject opens the prompt. */
    readonly subjectFirst: boolean;
  };
}

export const ROME_DEFAULTS: ValueOptions = VALUE_DEFAULTS;

/**
 * Computes an edit; the model is left as it was. Apply it with an EditSession.
 * @throws BAD_ARGUMENT, BAD_TOKENIZER (requests), SINGULAR (moment), NON_FINITE, ABORTED
 */
export async function rome(options: RomeOptions): Promise<RomeEdit> {
  const { model, layer, keys = 'averaged', factToken = 'subjectLast' } = options;
  const { moment = identityMoment, contextTemplates = ['{}'] } = options;
  checkLayer(model, layer);
  const settings = valueSettings(options, ROME_DEFAULTS);
  const prepared = prepareEdit({ model, request: options.request, factToken, contextTemplates });
  const { request, contexts, target, essence, subjectFirst } = prepared;

  const [keyRows, outputRows] = await readLookups({
    model,
    rows: contexts,
    points: [`blocks.${layer}.mlp.hook_post`, valuePoint(model, layer)],
  });
  const averagedKey = meanVector(keyRows);
  const bareKey = keyRows[0]!;
  const solved = solveMoment(moment, keys === 'prompt' ? bareKey : averagedKey);
  const optimised =
    options.value ??
    (await optimiseValue({
      model,
      layer,
      contexts,
      target,
      essence,
      settings,
      signal: options.signal,
    }));

  const length = norm(solved);
  const left = solved.map((x) => x / length);
  const key = keys === 'averaged' ? averagedKey : bareKey;
  const output = keys === 'averaged' ? meanVector(outputRows) : outputRows[0]!;
  const value = keys === 'prompt' ? output.map((x, i) => x + optimised.delta[i]!) : optimised.value;
  const denominator = dot(key, left);
  if (!(Math.abs(denominator) > 0) || !Number.isFinite(denominator)) {
    throw new SafeInferError(`the update would be divided by u . k = ${denominator}`, {
      code: 'NON_FINITE',
      hint: 'the key is empty or unrelated to its average: use keys "averaged" or another layer',
    });
  }
  const right = value.map((x, i) => (x - output[i]!) / denominator);
  return {
    request,
    layer,
    delta: { weight: `blocks.${layer}.mlp.W_out`, left, right },
    value: optimised,
    losses: optimised.losses,
    alarms: {
      denominator,
      relativeDenominator: Math.abs(denominator) / norm(key),
      keyCosine: dot(averagedKey, bareKey) / (norm(averagedKey) * norm(bareKey)),
      subjectFirst,
    },
  };
}
