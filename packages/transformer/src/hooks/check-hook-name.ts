// Refuses hook names that this model cannot serve, saying why and what was probably meant.
import { SafeInferError } from '@safeinfer/backend';
import type { ModelConfig } from '../config/model-config.ts';
import { hookNames, type ParsedHook, parseHookName } from './points.ts';

/** Parses a name, or throws UNKNOWN_HOOK with the reason and the nearest names. */
export function checkHookName(name: string, config: ModelConfig): ParsedHook {
  const why = reasonAgainst(name, config);
  if (why === undefined) return parseHookName(name) as ParsedHook;
  const near = nearestHooks(name, config);
  throw new SafeInferError(`no hook point '${name}' in this ${config.family} model: ${why}`, {
    code: 'UNKNOWN_HOOK',
    hint: `nearest names: ${near.join(', ')}; model.points() lists all`,
  });
}

/** Why the model has no such point, or undefined when it has it. */
export function reasonAgainst(name: string, config: ModelConfig): string | undefined {
  const parsed = parseHookName(name);
  if (parsed === undefined) return 'no architecture has a point of that name';
  const { info, layer } = parsed;
  if (layer !== undefined && layer >= config.nLayers) {
    return `it has blocks 0 to ${config.nLayers - 1}`;
  }
  return info.absent(config);
}

/** The three existing names closest to `name` by edit distance, in the same layer where it has one. */
function nearestHooks(name: string, config: ModelConfig): string[] {
  const asked = /(\d+)/.exec(name)?.[1];
  const layer = Math.min(Number(asked ?? 0), config.nLayers - 1);
  const candidates = hookNames(config).filter(
    (known) => !known.startsWith('blocks.') || known.startsWith(`blocks.${layer}.`),
  );
  // Short spellings such as 'resid_post' or 'resid_post.3' compare on the letters of the point alone.
  const letters = (text: string): string => text.replace(/^blocks\.\d+\.|hook_|\d+/g, '');
  return candidates
    .map((known) => ({ known, distance: editDistance(letters(name), letters(known)) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ known }) => known);
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(change, (previous[j] as number) + 1, (current[j - 1] as number) + 1));
    }
    previous = current;
  }
  return previous[b.length] as number;
}
