// OpenAI's completions: texts continued as they are, with echo and the older form of log-probabilities.
import type { TextCodec } from '@safeinfer/transformer';
import type { PromptScores } from '../batching/score-run.ts';
import type { TokenEvent, Usage } from '../run/events.ts';
import { type Completion, collect } from '../run/generate.ts';
import type { GenerateOptions } from '../run/generate-options.ts';
import type { RunStats } from '../run/run-stats.ts';
import type { Engine } from './engine.ts';
import { type TextBody, textPrompts } from './openai-request.ts';
import {
  type Envelope,
  finishReasonOf,
  tokenText,
  usageOf,
  VERY_UNLIKELY,
} from './openai-response.ts';

/** A token as the older log-probabilities list it. */
interface Listed {
  readonly token: number;
  readonly logprob: number | undefined;
  readonly top: readonly { readonly token: number; readonly logprob: number }[] | undefined;
}

/** Four parallel lists; the first token of an echoed prompt has no log-probability. */
function legacyLogprobs(
  listed: readonly Listed[],
  codec: TextCodec | undefined,
  from: number,
): object {
  const tokens = listed.map(({ token }) => tokenText(codec, token));
  const offsets: number[] = [];
  let at = from;
  for (const token of tokens) {
    offsets.push(at);
    at += token.length;
  }
  return {
    tokens,
    token_logprobs: listed.map(({ logprob }) =>
      logprob === undefined ? null : Math.max(VERY_UNLIKELY, logprob),
    ),
    top_logprobs: listed.map(({ top }) =>
      top === undefined
        ? null
        : Object.fromEntries(
            top.map(({ token, logprob }) => [
              tokenText(codec, token),
              Math.max(VERY_UNLIKELY, logprob),
            ]),
          ),
    ),
    text_offset: offsets,
  };
}

function listedEvents(events: readonly TokenEvent[]): Listed[] {
  // A token whose terms were skipped cannot be here: asking for log-probabilities makes every term run.
  return events.map(({ token, logprob, top }) => ({
    token,
    logprob: logprob ?? VERY_UNLIKELY,
    top: top ?? [],
  }));
}

function listedScores(scores: PromptScores | undefined): Listed[] {
  return (scores?.tokens ?? []).map(({ token, logprob, top }) => ({ token, logprob, top }));
}

/** The prompts as text, for echo. */
function echoed(body: TextBody, codec: TextCodec | undefined): readonly string[] {
  return textPrompts(body).map((prompt) =>
    typeof prompt === 'string' ? prompt : (codec?.decode(prompt) ?? ''),
  );
}

interface Parts {
  readonly body: TextBody;
  readonly run: GenerateOptions;
  readonly engine: Engine;
  readonly envelope: Envelope;
  /** Tokens of all prompts. */
  readonly promptTokens: number;
}

function scoresFor({ body, run, engine }: Parts): Promise<readonly PromptScores[]> {
  if (body.echo !== true || body.logprobs == null) return Promise.resolve([]);
  return engine.score({
    plan: run.plan,
    texts: textPrompts(body),
    logprobs: body.logprobs,
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  });
}

/** The answer as one object. */
export async function wholeText(parts: Parts): Promise<object> {
  const { body, run, engine, envelope } = parts;
  const codec = run.plan.model.tokenizer;
  const n = run.n ?? 1;
  const nothing = body.max_tokens === 0;
  // First, so that a full queue refuses before anything runs.
  const generated = nothing ? undefined : collect(engine.submit(run), run);
  generated?.catch(() => {});
  const scores = await scoresFor(parts);
  const result = await generated;
  const echo = body.echo === true ? echoed(body, codec) : [];
  const choices = textPrompts(body).flatMap((_, prompt) =>
    Array.from({ length: n }, (__, sample): object => {
      const answer: Completion | undefined = result?.completions[prompt * n + sample];
      const before = echo[prompt] ?? '';
      const listed = [...listedScores(scores[prompt]), ...listedEvents(answer?.events ?? [])];
      return {
        index: prompt * n + sample,
        text: before + (answer?.text ?? ''),
        logprobs:
          body.logprobs == null
            ? null
            : legacyLogprobs(listed, codec, scores.length > 0 ? 0 : before.length),
        finish_reason: answer === undefined ? 'length' : finishReasonOf(answer.reason),
      };
    }),
  );
  const usages = result?.completions.map(({ usage }) => usage) ?? [];
  return {
    ...envelope,
    object: 'text_completion',
    choices,
    usage: usageOf(parts.promptTokens, usages, result?.stats),
    system_fingerprint: null,
    guided: { seed: run.seed, ...(result === undefined ? {} : { stats: result.stats }) },
  };
}

/** The answer in chunks: echo first where it is asked for, then text as it comes, usage last. */
export async function* textChunks(parts: Parts, includeUsage: boolean): AsyncGenerator<object> {
  const { body, run, engine, envelope } = parts;
  const codec = run.plan.model.tokenizer;
  const n = run.n ?? 1;
  const chunk = (choice: object): object => ({
    ...envelope,
    object: 'text_completion',
    choices: [choice],
    ...(includeUsage ? { usage: null } : {}),
  });
  const echo = body.echo === true ? echoed(body, codec) : [];
  const count = textPrompts(body).length * n;
  const offsets = Array.from({ length: count }, (_, i) => echo[Math.floor(i / n)]?.length ?? 0);
  const scores = await scoresFor(parts);
  for (let index = 0; index < count && body.echo === true; index++) {
    const prompt = Math.floor(index / n);
    const logprobs =
      scores.length === 0 ? null : legacyLogprobs(listedScores(scores[prompt]), codec, 0);
    yield chunk({ index, text: echo[prompt], logprobs, finish_reason: null });
  }
  const usages: Usage[] = [];
  let stats: RunStats | undefined;
  if (body.max_tokens === 0) {
    for (let index = 0; index < count; index++) {
      yield chunk({ index, text: '', logprobs: null, finish_reason: 'length' });
    }
  } else {
    const waiting = Array.from({ length: count }, (): TokenEvent[] => []);
    for await (const event of engine.submit(run)) {
      const index = event.prompt * n + event.sample;
      const held = waiting[index] as TokenEvent[];
      if (event.type === 'token') {
        held.push(event);
        if (event.text === '') continue;
      } else {
        usages.push(event.usage);
        stats = event.stats;
      }
      const from = offsets[index] as number;
      const asked = body.logprobs != null && held.length > 0;
      yield chunk({
        index,
        text: event.text,
        logprobs: asked ? legacyLogprobs(listedEvents(held), codec, from) : null,
        finish_reason: event.type === 'finish' ? finishReasonOf(event.reason) : null,
      });
      offsets[index] =
        from + held.reduce((sum, { token }) => sum + tokenText(codec, token).length, 0);
      waiting[index] = [];
    }
  }
  if (includeUsage) {
    const usage = usageOf(parts.promptTokens, usages, stats);
    yield { ...envelope, object: 'text_completion', choices: [], usage };
  }
}
