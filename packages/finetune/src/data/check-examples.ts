// Refuses data that cannot be trained on, before any work starts.
import { SafeInferError } from '@safeinfer/backend';
import type { ModelConfig } from '@safeinfer/transformer';
import { nameOf, type TrainingExample } from './example.ts';

/**
 * @throws SafeInferError `BAD_DATASET` (no examples, or one without a token to learn), `CONTEXT_OVERFLOW` (one
 *   that is longer than the model's context), `WRONG_MODEL` (token ids that the model does not have)
 */
export function checkExamples(
  examples: readonly TrainingExample[],
  config: ModelConfig,
  what: string,
): void {
  if (examples.length === 0) {
    throw new SafeInferError(`${what} holds no examples`, {
      code: 'BAD_DATASET',
      hint: 'give at least one example',
    });
  }
  examples.forEach((example, index) => {
    checkTokens(example, index, config);
    checkWeights(example, index);
  });
}

function checkTokens(example: TrainingExample, index: number, config: ModelConfig): void {
  const { tokens } = example;
  if (tokens.length > config.maxPositions) {
    throw new SafeInferError(
      `${nameOf(example, index)} is ${tokens.length} tokens long; the context of this model is ${config.maxPositions}`,
      {
        code: 'CONTEXT_OVERFLOW',
        hint: "encode with tooLong: 'truncate' or 'skip', or split the example",
      },
    );
  }
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as number;
    if (Number.isInteger(token) && token >= 0 && token < config.vocabSize) continue;
    throw new SafeInferError(
      `${nameOf(example, index)} holds token ${token}; this model has tokens 0 to ${config.vocabSize - 1}`,
      { code: 'WRONG_MODEL', hint: 'encode the data with the tokenizer of this model' },
    );
  }
}

function checkWeights(example: TrainingExample, index: number): void {
  const { tokens, weights } = example;
  if (weights.length !== tokens.length) {
    throw new SafeInferError(
      `${nameOf(example, index)} has ${tokens.length} tokens and ${weights.length} weights`,
      { code: 'BAD_DATASET', hint: 'give one weight for each token' },
    );
  }
  let learns = false;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] as number;
    if (!(weight >= 0) || !Number.isFinite(weight)) {
      throw new SafeInferError(`${nameOf(example, index)} has the weight ${weight}`, {
        code: 'BAD_DATASET',
        hint: 'weights are finite and not negative',
      });
    }
    if (i > 0 && weight > 0) learns = true;
  }
  if (learns) return;
  throw new SafeInferError(`${nameOf(example, index)} has no token to learn`, {
    code: 'BAD_DATASET',
    hint: 'remove examples whose completion is empty',
  });
}
