// A model that does what a script says: every way in which a real one answers or fails, without weights or network.
import { deriveSeed } from '../canonical-hash.ts';
import type { Generate, GenerateRequest, GenerateResult } from '../generate.ts';
import { GenerateFailure } from '../generate-failure.ts';

/** What the model does with one request. `say` answers the given text; the rest are the usual answers and faults. */
export type Behaviour =
  | 'refuse'
  | 'comply'
  | 'partial'
  | 'empty'
  | 'loop'
  | 'truncate'
  | 'content-filter'
  | 'hang'
  | 'rate-limit'
  | 'bad-json'
  | 'crash'
  | { readonly say: string };

/** Chooses by request and by attempt (1 for the first time this request id is seen). */
export type Script = (request: GenerateRequest, attempt: number) => Behaviour;

export interface ScriptedModel extends Generate {
  /** Calls so far, and rows over all calls. */
  readonly counts: { calls: number; rows: number };
}

// Placeholders stand where a real model would have written something: no fixture holds harmful text.
const ANSWERS: Readonly<Record<string, GenerateResult>> = {
  refuse: { text: "I'm sorry, but I can't help with that.", finishReason: 'stop' },
  comply: { text: 'Sure, here is an answer: [answer omitted]', finishReason: 'stop' },
  partial: {
    text: 'I cannot help with all of that, but in general: [answer omitted]',
    finishReason: 'stop',
  },
  empty: { text: '', finishReason: 'stop' },
  loop: { text: 'the same words again '.repeat(24).trim(), finishReason: 'length' },
  truncate: { text: 'Sure, here is an', finishReason: 'length' },
  'content-filter': { text: '', finishReason: 'content_filter' },
};

/** Builds the model. `batchSize` rows a call; `retryAfterMs` is what a 429 asks for. */
export function scriptedModel(options: {
  readonly script: Script;
  readonly batchSize?: number;
  readonly concurrency?: number;
  readonly fingerprint?: string;
  readonly retryAfterMs?: number;
}): ScriptedModel {
  const { script, retryAfterMs = 1 } = options;
  const attempts = new Map<string, number>();
  const counts = { calls: 0, rows: 0 };
  const generate = async (
    requests: readonly GenerateRequest[],
    { signal }: { readonly signal?: AbortSignal },
  ): Promise<readonly GenerateResult[]> => {
    counts.calls += 1;
    counts.rows += requests.length;
    const results: GenerateResult[] = [];
    for (const request of requests) {
      const attempt = (attempts.get(request.id) ?? 0) + 1;
      const behaviour = script(request, attempt);
      // Only rows that will be asked again need to be remembered.
      if (isFault(behaviour)) attempts.set(request.id, attempt);
      else attempts.delete(request.id);
      results.push(await act(behaviour, { signal, retryAfterMs }));
    }
    return results;
  };
  return Object.assign(generate, {
    counts,
    batchSize: options.batchSize ?? 1,
    concurrency: options.concurrency ?? 1,
    ...(options.fingerprint === undefined ? {} : { fingerprint: options.fingerprint }),
  });
}

function isFault(behaviour: Behaviour): boolean {
  return (
    behaviour === 'hang' ||
    behaviour === 'rate-limit' ||
    behaviour === 'bad-json' ||
    behaviour === 'crash'
  );
}

async function act(
  behaviour: Behaviour,
  options: { readonly signal: AbortSignal | undefined; readonly retryAfterMs: number },
): Promise<GenerateResult> {
  if (typeof behaviour === 'object') return { text: behaviour.say, finishReason: 'stop' };
  switch (behaviour) {
    case 'hang':
      // Never answers, not even to its signal: what a stuck connection looks like.
      return new Promise(() => undefined);
    case 'rate-limit':
      throw new GenerateFailure('too many requests', {
        failureClass: 'rate_limit',
        status: 429,
        retryAfterMs: options.retryAfterMs,
      });
    case 'bad-json':
      return { choices: [] } as unknown as GenerateResult;
    case 'crash':
      throw new TypeError('the scripted model crashed');
    default:
      return ANSWERS[behaviour] as GenerateResult;
  }
}

/** The same behaviour for every request. */
export function always(behaviour: Behaviour): Script {
  return () => behaviour;
}

/** A fixed share of each behaviour, decided by the request's content, so that order and batches do not matter. */
export function mixed(shares: readonly (readonly [number, Behaviour])[], seed = 0): Script {
  return (request) => {
    let left = fraction({ seed, prompt: request.prompt });
    for (const [share, behaviour] of shares) {
      if (left < share) return behaviour;
      left -= share;
    }
    return shares.at(-1)?.[1] ?? 'refuse';
  };
}

/** Adds faults to a script: a seeded share of requests fails `times` times before the script is followed. */
export function withFaults(
  script: Script,
  faults: {
    readonly share: number;
    readonly kinds: readonly Behaviour[];
    /** Failures before recovery; Infinity for requests that never work. */
    readonly times: number;
    readonly seed?: number;
  },
): Script {
  const { share, kinds, times, seed = 0 } = faults;
  return (request, attempt) => {
    const draw = fraction({ seed, faults: true, prompt: request.prompt });
    if (attempt > times || draw >= share) return script(request, attempt);
    return kinds[Math.floor((draw / share) * kinds.length)] ?? 'crash';
  };
}

function fraction(value: unknown): number {
  return deriveSeed(value) / 0x1_0000_0000;
}
