// A plan as the `generate` function of @safeinfer/harmeval: chat when the model has a template, raw text otherwise.
import { type Plan, generate as runPlan } from '@safeinfer/guided-sampler';
import { defineGenerate, type Generate } from '@safeinfer/harmeval';

export function armGenerate(options: {
  readonly plan: Plan;
  readonly hasChatTemplate: boolean;
  readonly maxNewTokens: number;
  readonly batchSize: number;
  /** Names the model in a judge's verdicts. */
  readonly fingerprint?: string;
}): Generate {
  const { plan, hasChatTemplate, maxNewTokens, batchSize } = options;
  return defineGenerate(
    async (requests, { signal }) => {
      const { completions } = await runPlan({
        plan,
        prompts: requests.map(({ prompt }) => {
          if (prompt.kind === 'raw') return prompt.text;
          if (hasChatTemplate) return prompt.messages;
          return prompt.messages.map(({ content }) => content).join('\n\n');
        }),
        maxNewTokens,
        batchSize,
        attribution: 'none',
        ...(signal ? { signal } : {}),
      });
      return completions.map(({ text, reason, usage }) => ({
        text: text.trim(),
        finishReason: reason === 'length' ? 'length' : 'stop',
        usage: { tokensIn: usage.promptTokens, tokensOut: usage.completionTokens },
      }));
    },
    { batchSize, ...(options.fingerprint ? { fingerprint: options.fingerprint } : {}) },
  );
}
