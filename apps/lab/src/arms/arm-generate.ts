// A plan as the `generate` function of @safeinfer/harmeval: chat when the model has a template, raw text otherwise.
import {
  type Completion,
  type Plan,
  generate as runPlan,
  type SamplingOptions,
} from '@safeinfer/guided-sampler';
import {
  defineGenerate,
  type Generate,
  type GenerateResult,
  type Prompt as HarmPrompt,
} from '@safeinfer/harmeval';
import { encodeChat, type Tokenizer, type Transformer } from '@safeinfer/transformer';
import type { TokenTrace } from '../run/trial-record.ts';
import { TRACED_LOGPROBS, tokenTrace } from './token-trace.ts';
import { unsteeredLogprobs } from './unsteered-logprobs.ts';

/** An answer as the lab stores it. */
export interface ArmAnswer extends GenerateResult {
  readonly tokens?: readonly TokenTrace[];
}

export interface ArmGenerateOptions {
  readonly plan: Plan;
  readonly hasChatTemplate: boolean;
  readonly maxNewTokens: number;
  readonly batchSize: number;
  readonly sampling?: SamplingOptions | undefined;
  readonly stop?: readonly string[] | undefined;
  /** Of the draws; without chance it plays no part. */
  readonly seed?: number | undefined;
  /** Keep what every term did to every token. */
  readonly record?: 'text' | 'tokens';
  /** The model without steering, when the arm steers: the trace then splits its term. */
  readonly unsteered?: Transformer | undefined;
  /** Names the model in a judge's verdicts. */
  readonly fingerprint?: string;
}

export function armGenerate(options: ArmGenerateOptions): Generate {
  const { plan, batchSize, record = 'text' } = options;
  return defineGenerate(
    async (requests, { signal }) => {
      const prompts = requests.map(({ prompt }) => samplerPrompt(prompt, options.hasChatTemplate));
      const { completions } = await runPlan({
        plan,
        prompts,
        maxNewTokens: options.maxNewTokens,
        batchSize,
        ...(options.sampling === undefined ? {} : { sampling: options.sampling }),
        ...(options.stop === undefined ? {} : { stop: options.stop }),
        ...(options.seed === undefined ? {} : { seed: options.seed }),
        ...(record === 'tokens'
          ? { attribution: 'chosen', logprobs: TRACED_LOGPROBS }
          : { attribution: 'none' }),
        ...(signal ? { signal } : {}),
      });
      const answers: ArmAnswer[] = [];
      for (const [index, completion] of completions.entries()) {
        const { text, reason, usage } = completion;
        answers.push({
          text: text.trim(),
          finishReason: reason === 'length' ? 'length' : 'stop',
          usage: { tokensIn: usage.promptTokens, tokensOut: usage.completionTokens },
          ...(record === 'tokens'
            ? { tokens: await traced({ completion, prompt: prompts[index]!, options, signal }) }
            : {}),
        });
      }
      return answers;
    },
    { batchSize, ...(options.fingerprint ? { fingerprint: options.fingerprint } : {}) },
  );
}

type SamplerPrompt = string | readonly { readonly role: string; readonly content: string }[];

function samplerPrompt(prompt: HarmPrompt, hasChatTemplate: boolean): SamplerPrompt {
  if (prompt.kind === 'raw') return prompt.text;
  if (hasChatTemplate) return prompt.messages;
  return prompt.messages.map(({ content }) => content).join('\n\n');
}

async function traced(parts: {
  readonly completion: Completion;
  readonly prompt: SamplerPrompt;
  readonly options: ArmGenerateOptions;
  readonly signal: AbortSignal | undefined;
}): Promise<TokenTrace[]> {
  const { completion, prompt, options, signal } = parts;
  const { events, tokens, text } = completion;
  const { unsteered } = options;
  return tokenTrace({
    events,
    rest: text.slice(events.reduce((length, event) => length + event.text.length, 0)),
    unsteered:
      unsteered &&
      (await unsteeredLogprobs({
        model: unsteered,
        prompt: promptIds(prompt, unsteered),
        answer: tokens,
        signal,
      })),
  });
}

function promptIds(prompt: SamplerPrompt, { tokenizer }: Transformer): readonly number[] {
  if (typeof prompt === 'string') return tokenizer?.encode(prompt) ?? [];
  return encodeChat({
    tokenizer: tokenizer as Tokenizer,
    messages: prompt.map(({ role, content }) => ({ role, content })),
    addGenerationPrompt: true,
  });
}
