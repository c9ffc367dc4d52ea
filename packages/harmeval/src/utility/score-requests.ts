// Runs log-likelihood requests in batches and refuses answers that cannot be right.
import { HarmEvalError, throwIfAborted } from '../harm-eval-error.ts';
import type { LogLikelihoodResult } from './log-likelihood.ts';

/**
 * @throws HarmEvalError `GENERATION_FAILED` when results are missing, positive, or NaN: a metric over them would look
 * like a number
 */
export async function scoreRequests<Request>(
  logLikelihood: {
    (
      requests: readonly Request[],
      options: { readonly signal?: AbortSignal },
    ): Promise<readonly LogLikelihoodResult[]>;
    readonly batchSize?: number;
  },
  requests: readonly Request[],
  signal?: AbortSignal,
): Promise<readonly LogLikelihoodResult[]> {
  const size = logLikelihood.batchSize ?? 1;
  const results: LogLikelihoodResult[] = [];
  for (let from = 0; from < requests.length; from += size) {
    throwIfAborted(signal);
    const part = requests.slice(from, from + size);
    const answers = await logLikelihood(part, signal === undefined ? {} : { signal });
    const wrong =
      answers.length !== part.length ||
      answers.some(({ logProb, tokens }) => !(logProb <= 1e-6) || !(tokens >= 1));
    if (wrong) {
      throw new HarmEvalError(
        `the model gave no usable log-likelihood for requests ${from} to ${from + part.length - 1}`,
        {
          code: 'GENERATION_FAILED',
          hint: 'log-probabilities are at most 0, one for each request, over at least one token',
        },
      );
    }
    results.push(...answers);
  }
  return results;
}
