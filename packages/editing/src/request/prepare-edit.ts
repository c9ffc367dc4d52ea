// A request made ready for a model: every row it needs as tokens, checked, before any work starts.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { checkRequest, type EditRequest, type FactToken } from './edit-request.ts';
import { encode, encodeTarget, type LocatedPrompt, locatePrompt } from './lookup-index.ts';
import { formatTokens } from './token-table.ts';

export interface PreparedEdit {
  readonly request: EditRequest;
  /** One row for each context template, the bare prompt first; without the target. */
  readonly contexts: readonly LocatedPrompt[];
  readonly target: readonly number[];
  /** "{subject} is a": the row whose next-token distribution must not move. */
  readonly essence: LocatedPrompt;
  /** The subject opens the bare prompt: the case in which original ROME collapses. */
  readonly subjectFirst: boolean;
}

/** @throws BAD_ARGUMENT or BAD_TOKENIZER as `checkRequest`, `locatePrompt` and `encodeTarget` do */
export function prepareEdit(options: {
  readonly model: Transformer;
  readonly request: EditRequest;
  readonly factToken: FactToken;
  readonly contextTemplates: readonly string[];
}): PreparedEdit {
  const { model, factToken, contextTemplates } = options;
  if (contextTemplates[0] !== '{}' || contextTemplates.some((t) => t.split('{}').length !== 2)) {
    throw new SafeInferError('context templates need one {} each, and the first must be "{}"', {
      code: 'BAD_ARGUMENT',
      hint: 'replace braces in generated prefixes by spaces',
    });
  }
  const request = checkRequest(options.request);
  const { subject, prompt } = request;
  const locate = (template: string): LocatedPrompt =>
    locatePrompt({ model, template, subject, factToken });
  const contexts = contextTemplates.map((template) => locate(template.replace('{}', () => prompt)));
  const target = encodeTarget(model, request.targetNew);
  checkContinues(model, contexts[0]!, request.targetNew, target);
  return {
    request,
    contexts,
    target,
    essence: locate('{} is a'),
    subjectFirst: prompt.startsWith('{}'),
  };
}

/** The model must be taught the tokens that a text of prompt and target has. */
function checkContinues(
  model: Transformer,
  { text, tokens }: LocatedPrompt,
  targetNew: string,
  target: readonly number[],
): void {
  const whole = encode(model, text + targetNew);
  if (whole.length === tokens.length + target.length) {
    if ([...tokens, ...target].every((token, i) => whole[i] === token)) return;
  }
  throw new SafeInferError(
    `the tokenizer merges the end of the prompt with target ${JSON.stringify(targetNew)}: ${formatTokens(model, whole)}`,
    {
      code: 'BAD_TOKENIZER',
      hint: 'let the prompt end without a space; the target begins with it',
    },
  );
}

/** @throws BAD_ARGUMENT for a layer the model does not have */
export function checkLayer(model: Transformer, layer: number): void {
  if (Number.isInteger(layer) && layer >= 0 && layer < model.config.nLayers) return;
  throw new SafeInferError(
    `layer ${layer} does not exist: the model has ${model.config.nLayers} blocks`,
    {
      code: 'BAD_ARGUMENT',
      hint: `name a layer between 0 and ${model.config.nLayers - 1}; causal tracing says which`,
    },
  );
}
