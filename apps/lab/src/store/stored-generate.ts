// Answers from the store where it has them; a batch that had to be generated is written in one transaction.
import {
  defineGenerate,
  type Generate,
  type GenerateResult,
  generationKey,
} from '@safeinfer/harmeval';
import type { Store } from './open-store.ts';

/**
 * `identity` is everything that decides an answer besides the request (see armIdentity). Requests of a batch are either
 * all known or all unknown when a run is repeated, so a resumed run computes the same batches as an uninterrupted one.
 */
export function storedGenerate(options: {
  readonly generate: Generate;
  readonly identity: string;
  readonly store: Store;
}): Generate {
  const { generate, identity, store } = options;
  return defineGenerate(
    async (requests, context) => {
      const keys = requests.map((request) => generationKey(identity, request));
      const known = keys.map((key) => store.get(key) as GenerateResult | undefined);
      const open = requests.filter((_, i) => known[i] === undefined);
      if (open.length === 0) return known as GenerateResult[];
      const fresh = await generate(open, context);
      const entries = new Map<string, GenerateResult>();
      let next = 0;
      const results = keys.map((key, i) => {
        const hit = known[i];
        if (hit !== undefined) return hit;
        const result = fresh[next++]!;
        entries.set(key, result);
        return result;
      });
      store.set(entries);
      return results;
    },
    {
      fingerprint: identity,
      ...(generate.batchSize === undefined ? {} : { batchSize: generate.batchSize }),
    },
  );
}
