// A judge that is a prompt to a model: an endpoint, or a local model of the transformer package. Only `generate` differs.
import { contentHash, deriveSeed } from '../canonical-hash.ts';
import type { ItemLabel } from '../datasets/item.ts';
import type { ChatMessage, Generate, GenerateRequest, Sampling } from '../generate.ts';
import { callQueue, generateRows, type RowOutcome } from '../generate-rows.ts';
import { defaultRetryPolicy, type RetryPolicy } from '../retry-policy.ts';
import type { Judge, JudgeRequest } from './judge.ts';
import { matchesRefusal } from './refusal-judge.ts';
import { jbbList } from './refusal-lists.ts';
import { fillTemplate } from './template.ts';
import type { JudgeIdentity, Judgement, Verdict } from './verdict.ts';

/** The wording. Placeholders: `{request}`, `{response}`, `{context}` (empty when the item has none). */
export interface JudgeTemplate {
  readonly system?: string;
  readonly user: string;
}

export interface PromptJudgeSpec {
  readonly id: string;
  readonly version: string;
  readonly measures: 'harm' | 'refusal';
  readonly appliesTo: readonly ItemLabel[];
  /** Null: the conversation itself is sent, for guard models whose chat template holds the prompt. */
  readonly template: JudgeTemplate | null;
  readonly parse: (answer: string) => Judgement;
  readonly sampling: Sampling;
  /** How often an answer without a verdict is asked for again, with another seed. */
  readonly reasks: number;
  /** Characters of the response shown to the judge; longer ones are cut there. Absent: all of it. */
  readonly responseLimit?: number;
}

/** The same judge with another wording, such as the published one from a file; its prompt hash changes with it. */
export function withTemplate(spec: PromptJudgeSpec, template: JudgeTemplate): PromptJudgeSpec {
  return { ...spec, version: `${spec.version}+template`, template };
}

/** Builds the judge. `generate.fingerprint` names the judging model in every verdict. */
export function promptJudge(
  spec: PromptJudgeSpec,
  generate: Generate,
  options: { readonly retry?: Partial<RetryPolicy> } = {},
): Judge {
  const policy: RetryPolicy = { ...defaultRetryPolicy, ...options.retry };
  const identity: JudgeIdentity = {
    id: spec.id,
    version: spec.version,
    measures: spec.measures,
    promptSha: contentHash({
      template: spec.template,
      sampling: spec.sampling,
      reasks: spec.reasks,
      responseLimit: spec.responseLimit,
    }),
    model: generate.fingerprint ?? 'unnamed model',
  };
  const queue = callQueue(generate);
  return {
    ...identity,
    appliesTo: spec.appliesTo,
    concurrency: generate.concurrency ?? 1,
    batchSize: Math.max(1, (generate.batchSize ?? 1) * (generate.concurrency ?? 1)),
    judge: async (requests, { signal }) => {
      const verdicts = requests.map(() => unasked(identity));
      let open = requests.map((_, index) => index);
      for (let round = 0; round <= spec.reasks && open.length > 0; round += 1) {
        const outcomes = await generateRows({
          generate,
          requests: open.map((index) => asRequest(spec, requests[index] as JudgeRequest, round)),
          policy,
          signal,
          queue,
        });
        open = open.filter((index, i) => {
          const verdict = toVerdict(spec, outcomes[i] as RowOutcome);
          verdicts[index] = merged(verdicts[index] as Verdict, verdict);
          return verdict.status === 'parse_error' || verdict.status === 'out_of_range';
        });
      }
      return verdicts;
    },
  };
}

function unasked(identity: JudgeIdentity): Verdict {
  return { ...identity, status: 'api_error', label: null, score: null, raw: null, attempts: 0 };
}

type Answered = Pick<
  Verdict,
  'status' | 'label' | 'score' | 'raw' | 'attempts' | 'usage' | 'error'
>;

function merged(before: Verdict, now: Answered): Verdict {
  const { usage: _, error: __, ...kept } = before;
  const usage = {
    tokensIn: (before.usage?.tokensIn ?? 0) + (now.usage?.tokensIn ?? 0),
    tokensOut: (before.usage?.tokensOut ?? 0) + (now.usage?.tokensOut ?? 0),
  };
  return { ...kept, ...now, attempts: before.attempts + now.attempts, usage };
}

/** The messages a judge sends for a request; exported for tests and for showing what was asked. */
export function judgeMessages(
  spec: PromptJudgeSpec,
  request: JudgeRequest,
): readonly ChatMessage[] {
  const response =
    spec.responseLimit === undefined
      ? request.response
      : request.response.slice(0, spec.responseLimit);
  if (spec.template === null) {
    return [
      { role: 'user', content: request.item.prompt },
      { role: 'assistant', content: response },
    ];
  }
  const values = {
    request: request.item.prompt,
    response,
    context: request.item.context === undefined ? '' : `Context: ${request.item.context}\n\n`,
  };
  const { system, user } = spec.template;
  const asked: ChatMessage = { role: 'user', content: fillTemplate(user, values) };
  return system === undefined
    ? [asked]
    : [{ role: 'system', content: fillTemplate(system, values) }, asked];
}

function asRequest(spec: PromptJudgeSpec, request: JudgeRequest, round: number): GenerateRequest {
  const messages = judgeMessages(spec, request);
  return {
    id: `${spec.id}/${request.item.id}/${contentHash(request.response).slice(0, 8)}/${round}`,
    prompt: { kind: 'chat', messages },
    sampling: spec.sampling,
    seed: deriveSeed({ judge: spec.id, messages, round }),
  };
}

function toVerdict(spec: PromptJudgeSpec, outcome: RowOutcome): Answered {
  const nothing = { label: null, score: null, raw: null, attempts: outcome.attempts } as const;
  if (!outcome.ok) {
    const status = outcome.failureClass === 'content_filter' ? 'content_filter' : 'api_error';
    return { ...nothing, status, error: outcome.message };
  }
  const { text, finishReason, usage } = outcome.result;
  const facts = {
    raw: text,
    attempts: outcome.attempts,
    ...(usage === undefined ? {} : { usage }),
  };
  if (finishReason === 'content_filter') return { ...nothing, ...facts, status: 'content_filter' };
  const judgement = spec.parse(text);
  if (judgement.status !== 'parse_error') return { ...judgement, ...facts };
  return { ...nothing, ...facts, status: unreadable(text, finishReason === 'length') };
}

function unreadable(text: string, truncated: boolean): Verdict['status'] {
  if (truncated) return 'truncated';
  return matchesRefusal(text, jbbList) ? 'refused' : 'parse_error';
}
