// What is looked at before and after an edit: the edited prompt, its paraphrases, other facts, and what should follow.
import { type EditCase, rewritePrompt } from '@safeinfer/editing';
import type { Transformer } from '@safeinfer/transformer';
import { type TopToken, topTokens } from './top-tokens.ts';

export interface Probe {
  readonly fact: string;
  readonly kind: string;
  readonly prompt: string;
  /** What an edit that works and does no damage leads to here. */
  readonly wanted: string;
}

export interface ProbeResult extends Probe {
  readonly before: readonly TopToken[];
  readonly after: readonly TopToken[];
}

export function probesOf(one: EditCase): Probe[] {
  const wanted = one.request.targetNew.trim();
  const probe = (kind: string, prompt: string, target: string): Probe => ({
    fact: one.id,
    kind,
    prompt,
    wanted: target.trim(),
  });
  return [
    probe('edited', rewritePrompt(one.request), wanted),
    ...one.paraphrases.map((prompt) => probe('paraphrase', prompt, wanted)),
    ...one.locality.map(({ kind, prompt, target }) => probe(kind, prompt, target)),
    ...one.portability.map(({ kind, prompt, target }) => probe(kind, prompt, target)),
  ];
}

export async function probeAll(
  model: Transformer,
  probes: readonly Probe[],
  count: number,
): Promise<TopToken[][]> {
  return await topTokens(
    model,
    probes.map(({ prompt }) => prompt),
    count,
  );
}

/** Whether the likeliest token begins the wanted object. */
export function isWanted({ wanted }: Probe, [best]: readonly TopToken[]): boolean {
  const text = best?.text.trim() ?? '';
  return text !== '' && wanted.startsWith(text);
}
