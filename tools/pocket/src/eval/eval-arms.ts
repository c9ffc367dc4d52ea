// The arms: the model alone, under a safety prompt, and under each method, with what select chose for it.
import {
  compile,
  type Plan,
  type Prompt,
  plain,
  safeDecoding,
  safeInfer,
  term,
} from '@safeinfer/guided-sampler';
import { loadPocketSplit, pocketDemonstrations } from '@safeinfer/pocket';
import {
  amplify,
  type HeadRef,
  safetyAmplification,
  scalePlan,
  toInterventions,
} from '@safeinfer/steering';
import type { Intervention, Transformer } from '@safeinfer/transformer';

export interface Amplification {
  /** The block whose output gets the heads' summed vector, or every head in its own layer. */
  readonly inject: 'layer 3' | 'each head';
  readonly strength: number;
}

const SEED = 7;

export interface Amplifier {
  readonly heads: readonly HeadRef[];
  interventions(a: Amplification): readonly Intervention[];
}

/** One set of heads for every place and strength that is tried: ranked by their indirect effect. */
export async function buildAmplifier(model: Transformer): Promise<Amplifier> {
  const once = (behaviour: 'refuse' | 'comply') => [
    ...new Map(pocketDemonstrations(behaviour).map((shot) => [shot.question, shot])).values(),
  ];
  const made = await safetyAmplification({
    model,
    safe: once('refuse'),
    compliant: once('comply'),
    shots: 5,
    prompts: 100,
    effectPrompts: 25,
    topHeads: 10,
    inject: 'distributed',
    strength: 1,
    seed: SEED,
  });
  return {
    heads: made.heads,
    interventions: ({ inject, strength }) =>
      inject === 'each head'
        ? toInterventions(scalePlan(made.plan, strength))
        : [amplify({ vector: made.vector, layer: 3, strength })],
  };
}

/** The plans of the method, as functions of what is chosen on select. */
export function methodPlans(model: Transformer, amplifier: Amplifier) {
  const unsafe = { adapter: 'unsafe' } as const;
  return {
    amplified: (a: Amplification): Plan =>
      compile(term('model', { model, interventions: amplifier.interventions(a) })),
    guided: (lambda: number): Plan => safeInfer({ model, unsafe, lambda }),
    safeInfer: (a: Amplification, lambda: number): Plan =>
      safeInfer({ model, safe: amplifier.interventions(a), unsafe, lambda }),
  };
}

export interface Arm {
  readonly name: string;
  readonly plan: Plan;
}

/** Baselines that have nothing to choose. */
export function baselineArms(model: Transformer): Arm[] {
  const texts = loadPocketSplit('system-prompts').filter(({ effect }) => effect === 'refuse-harm');
  const known = texts.find(({ split }) => split === 'train')!.text;
  const unseen = texts.find(({ split }) => split === 'test')!.text;
  const prompted = (text: string): Plan =>
    compile(term('model', { model, prompt: (prompt) => withSafetyPrompt(prompt, text) }));
  return [
    { name: 'plain', plan: plain({ model }) },
    { name: 'safety prompt (wording of training)', plan: prompted(known) },
    { name: 'safety prompt (new wording)', plan: prompted(unseen) },
    {
      name: 'SafeDecoding (safe adapter)',
      plan: safeDecoding({ model, expert: { adapter: 'safe' } }),
    },
  ];
}

export function unsafeArm(model: Transformer): Arm {
  return { name: 'unsafe adapter', plan: plain({ model, adapter: 'unsafe' }) };
}

/** The defender speaks first: before an attack's own system message, or before raw text. */
function withSafetyPrompt(prompt: Prompt, text: string): Prompt {
  if (typeof prompt === 'string') return prompt.replace('<|bos|>', `<|bos|>${text}\n\n`);
  const messages = prompt as readonly { readonly role: string; readonly content: string }[];
  const [first, ...rest] = messages;
  if (first?.role !== 'system') return [{ role: 'system', content: text }, ...messages];
  return [{ role: 'system', content: `${text} ${first.content}` }, ...rest];
}
