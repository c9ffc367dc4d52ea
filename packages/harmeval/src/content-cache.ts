// Caching by content: a changed steering strength, prompt, seed or judge can never hit an old answer.
import { canonicalJson, contentHash } from './canonical-hash.ts';
import type { Generate, GenerateRequest, GenerateResult } from './generate.ts';
import { defineGenerate } from './generate.ts';
import { isGenerateResult } from './generate-rows.ts';
import { HarmEvalError } from './harm-eval-error.ts';
import { identityOf, type Judge, type JudgeRequest } from './judges/judge.ts';
import type { JudgeIdentity, Verdict } from './judges/verdict.ts';

/** Where values live: a map, a file, a database. Values are plain JSON. */
export interface ContentCache {
  readonly get: (key: string) => Promise<unknown>;
  readonly set: (key: string, value: unknown) => Promise<void>;
}

/** A cache that lives as long as the process. */
export function memoryCache(): ContentCache {
  const values = new Map<string, unknown>();
  return {
    get: async (key) => values.get(key),
    set: async (key, value) => {
      values.set(key, value);
    },
  };
}

/** Address of a generation: model and interventions (the fingerprint), rendered prompt, sampling and seed. */
export function generationKey(fingerprint: string, request: Omit<GenerateRequest, 'id'>): string {
  const { prompt, sampling, seed } = request;
  return contentHash({ kind: 'generation', fingerprint, prompt, sampling, seed });
}

/** Address of a verdict: the judge with its version, prompt and model, and what it judged. */
export function verdictKey(judge: JudgeIdentity, request: JudgeRequest): string {
  const { item, response, truncated, messages } = request;
  return contentHash({
    kind: 'verdict',
    judge: identityOf(judge),
    request: item.prompt,
    context: item.context,
    messages,
    response,
    truncated,
  });
}

/**
 * Answers from the cache where it can. Withheld answers (content filter) are not stored.
 * @throws HarmEvalError `BAD_ARGUMENT` for a generator without a fingerprint: its answers have no identity
 */
export function withGenerationCache(generate: Generate, cache: ContentCache): Generate {
  const { fingerprint, batchSize, concurrency } = generate;
  if (fingerprint === undefined) {
    throw new HarmEvalError('a generator without a fingerprint cannot be cached', {
      code: 'BAD_ARGUMENT',
      hint: 'name everything that decides its text: weights, template, interventions, decoding, precision',
    });
  }
  const cached = defineGenerate(
    async (requests, options) => {
      const keys = requests.map((request) => generationKey(fingerprint, request));
      const known = await Promise.all(keys.map((key) => cache.get(key)));
      const open = requests.filter((_, i) => !isGenerateResult(known[i]));
      const fresh = open.length === 0 ? [] : await generate(open, options);
      let at = 0;
      const results: GenerateResult[] = [];
      for (const [i, key] of keys.entries()) {
        const hit = known[i];
        if (isGenerateResult(hit)) {
          results.push({ ...hit, cached: true });
          continue;
        }
        const result = fresh[at] as GenerateResult;
        at += 1;
        if (isGenerateResult(result) && result.finishReason !== 'content_filter') {
          await cache.set(key, result);
        }
        results.push(result);
      }
      return results;
    },
    {
      fingerprint,
      ...(batchSize === undefined ? {} : { batchSize }),
      ...(concurrency === undefined ? {} : { concurrency }),
    },
  );
  return cached;
}

/** Verdicts from the cache where it can. Only scored verdicts are stored: a failed judge is asked again. */
export function withVerdictCache(judge: Judge, cache: ContentCache): Judge {
  return {
    ...judge,
    judge: async (requests, options) => {
      const keys = requests.map((request) => verdictKey(judge, request));
      const known = await Promise.all(keys.map((key) => cache.get(key)));
      const open = requests.filter((_, i) => !isVerdictOf(known[i], judge));
      const fresh = open.length === 0 ? [] : await judge.judge(open, options);
      let at = 0;
      const verdicts: Verdict[] = [];
      for (const [i, key] of keys.entries()) {
        const hit = known[i];
        if (isVerdictOf(hit, judge)) {
          verdicts.push({ ...hit, attempts: 0, cached: true });
          continue;
        }
        const verdict = fresh[at] as Verdict;
        at += 1;
        if (verdict.status === 'ok') await cache.set(key, verdict);
        verdicts.push(verdict);
      }
      return verdicts;
    },
  };
}

function isVerdictOf(value: unknown, judge: JudgeIdentity): value is Verdict {
  if (typeof value !== 'object' || value === null) return false;
  const verdict = value as Verdict;
  return (
    verdict.status === 'ok' &&
    typeof verdict.label === 'string' &&
    canonicalJson(identityOf(verdict)) === canonicalJson(identityOf(judge))
  );
}
