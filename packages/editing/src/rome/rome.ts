// ROME: one fact as a rank-one change of one MLP down projection (Meng et al. 2022).
import { SafeInferError } from '@safeinfer/backend';
import type { HookName, Transformer } from '@safeinfer/transformer';
import { dot, meanVector, norm } from '../linear-algebra/vector.ts';
import { checkRequest, type EditRequest, type FactToken } from '../request/edit-request.ts';
import { encodeTarget, type LocatedPrompt, locatePrompt } from '../request/lookup-index.ts';
import { identityMoment, type SecondMoment, solveMoment } from '../second-moment/second-moment.ts';
import { optimiseValue, type ValueOptions, valuePoint } from '../value/optimise-value.ts';
import type { RankOneDelta } from './rank-one-delta.ts';

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
  readonly signal?: AbortSignal;
}

export interface RomeEdit {
  readonly request: EditRequest;
  readonly layer: number;
  readonly delta: RankOneDelta;
  readonly losses: readonly number[];
  /** Warnings a user should look at before trusting the edit. */
  readonly alarms: {
    /** u . k: near zero means a huge update. */
    readonly denominator: number;
    /** Cosine of averaged and bare key; far below 1 is the collapse case of original ROME. */
    readonly keyCosine: number;
  };
}

/** Common hyper-parameters of every published ROME preset; steps and decay are the Llama-class ones. */
export const ROME_DEFAULTS: ValueOptions = {
  learningRate: 0.5,
  steps: 25,
  klFactor: 0.0625,
  weightDecay: 1e-3,
  clampFactor: 4,
  stopLoss: 0.05,
};

/** Computes an edit; the model is left as it was. Apply it with an EditSession. */
export async function rome(options: RomeOptions): Promise<RomeEdit> {
  const { model, layer, keys = 'averaged', factToken = 'subjectLast' } = options;
  const { moment = identityMoment, contextTemplates = ['{}'] } = options;
  if (!Number.isInteger(layer) || layer < 0 || layer >= model.config.nLayers) {
    throw new SafeInferError(
      `layer ${layer} does not exist: the model has ${model.config.nLayers} blocks`,
      {
        code: 'BAD_ARGUMENT',
        hint: `name a layer between 0 and ${model.config.nLayers - 1}; causal tracing says which`,
      },
    );
  }
  if (contextTemplates[0] !== '{}' || contextTemplates.some((t) => t.split('{}').length !== 2)) {
    throw new SafeInferError('context templates need one {} each, and the first must be "{}"', {
      code: 'BAD_ARGUMENT',
      hint: 'replace braces in generated prefixes by spaces',
    });
  }
  const request = checkRequest(options.request);
  const locate = (template: string): LocatedPrompt =>
    locatePrompt({ model, template, subject: request.subject, factToken });
  const contexts = contextTemplates.map((template) =>
    locate(template.replace('{}', request.prompt)),
  );
  const target = encodeTarget(model, request.targetNew);

  const { keyRows, outputRows } = await readProjection(model, layer, contexts);
  const averagedKey = meanVector(keyRows);
  const bareKey = keyRows[0]!;
  const optimised = await optimiseValue({
    model,
    layer,
    contexts,
    target,
    essence: locatePrompt({
      model,
      template: '{} is a',
      subject: request.subject,
      factToken,
    }),
    settings: {
      learningRate: options.learningRate ?? ROME_DEFAULTS.learningRate,
      steps: options.steps ?? ROME_DEFAULTS.steps,
      klFactor: options.klFactor ?? ROME_DEFAULTS.klFactor,
      weightDecay: options.weightDecay ?? ROME_DEFAULTS.weightDecay,
      clampFactor: options.clampFactor ?? ROME_DEFAULTS.clampFactor,
      stopLoss: options.stopLoss ?? ROME_DEFAULTS.stopLoss,
    },
    signal: options.signal,
  });

  const solved = solveMoment(moment, keys === 'prompt' ? bareKey : averagedKey);
  const left = solved.map((x) => x / norm(solved));
  const key = keys === 'averaged' ? averagedKey : bareKey;
  const output = keys === 'averaged' ? meanVector(outputRows) : outputRows[0]!;
  const value = keys === 'prompt' ? output.map((x, i) => x + optimised.delta[i]!) : optimised.value;
  const denominator = dot(key, left);
  const right = value.map((x, i) => (x - output[i]!) / denominator);
  return {
    request,
    layer,
    delta: { weight: `blocks.${layer}.mlp.W_out`, left, right },
    losses: optimised.losses,
    alarms: {
      denominator,
      keyCosine: dot(averagedKey, bareKey) / (norm(averagedKey) * norm(bareKey)),
    },
  };
}

/** Input and output of the edited projection at each context's lookup token. */
async function readProjection(
  model: Transformer,
  layer: number,
  contexts: readonly LocatedPrompt[],
): Promise<{ keyRows: Float64Array[]; outputRows: Float64Array[] }> {
  const keyPoint: HookName = `blocks.${layer}.mlp.hook_post`;
  const outPoint = valuePoint(model, layer);
  const result = model.forward(
    contexts.map(({ tokens, lookup }) => ({ tokens: tokens.slice(0, lookup + 1) })),
    { capture: [keyPoint, outPoint], capturePositions: [-1], logits: 'none' },
  );
  try {
    const read = async (row: number, name: HookName): Promise<Float64Array> =>
      Float64Array.from(await result.captured(row, name).data());
    const keyRows: Float64Array[] = [];
    const outputRows: Float64Array[] = [];
    for (const row of contexts.keys()) {
      keyRows.push(await read(row, keyPoint));
      outputRows.push(await read(row, outPoint));
    }
    return { keyRows, outputRows };
  } finally {
    result.dispose();
  }
}
