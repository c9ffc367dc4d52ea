// heads.json: the indirect effect of every head, as the viewer and `safeinfer steer inspect` read it.
import { readFileSync } from 'node:fs';
import { SafeInferError } from '@safeinfer/backend';
import type { HeadEffect, IndirectEffects } from '@safeinfer/steering';
import { z } from 'zod';

const schema = z.object({
  schema: z.literal(1),
  what: z.literal('aie'),
  model: z.object({ name: z.string(), sha256: z.string() }),
  arm: z.string().optional(),
  layers: z.int().min(1),
  heads: z.int().min(1),
  aie: z.array(z.array(z.number())),
  top: z.array(z.object({ layer: z.int(), head: z.int(), aie: z.number() })),
  method: z.string(),
  prompts: z.int(),
  seed: z.int(),
});

export type HeadsFile = z.output<typeof schema>;

export function headsFile(options: {
  readonly effects: IndirectEffects;
  readonly model: { readonly name: string; readonly sha256: string };
  readonly layers: number;
  readonly heads: number;
  readonly chosen: readonly Pick<HeadEffect, 'layer' | 'head'>[];
  readonly prompts: number;
  readonly seed: number;
}): HeadsFile {
  const { effects, model, layers, heads, chosen, prompts, seed } = options;
  const aie = Array.from({ length: layers }, () => new Array<number>(heads).fill(0));
  for (const { layer, head, effect } of effects.ranked) aie[layer]![head] = effect;
  return {
    schema: 1,
    what: 'aie',
    model,
    layers,
    heads,
    aie,
    top: chosen.map(({ layer, head }) => ({ layer, head, aie: aie[layer]![head]! })),
    method: `mean head outputs patched at the last token, ${effects.metric}`,
    prompts,
    seed,
  };
}

/** @throws NOT_FOUND or BAD_FILE. */
export function readHeadsFile(path: string): HeadsFile {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new SafeInferError(`${path} ${missing ? 'does not exist' : 'is no table of heads'}`, {
      code: missing ? 'NOT_FOUND' : 'BAD_FILE',
      hint: 'heads.json is written by `safeinfer steer extract --method sa`',
      cause,
    });
  }
}
