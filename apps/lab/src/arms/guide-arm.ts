// The formula of one arm: its own (steered) model, alone or combined with other distributions.
import {
  classifierFreeFormula,
  contextAwareFormula,
  contrastiveFormula,
  dexpertsFormula,
  type Expr,
  lma,
  proxyTuningFormula,
  roseFormula,
  SAFETY_PROMPT,
  safeDecodingFormula,
  safeInferFormula,
  selfCdFormula,
  type TermSpec,
  term,
} from '@safeinfer/guided-sampler';
import type { GuideConfig } from '../config/guide-schema.ts';
import type { TermSource } from '../config/source-schema.ts';
import { OWN_TERM } from './token-trace.ts';

export interface GuidedArm {
  readonly formula: Expr;
  readonly note: string;
}

/** `own`: the arm's model with its steering. `open` gives the distribution of a source. */
export async function guideArm(options: {
  readonly guide: GuideConfig;
  readonly own: TermSpec;
  readonly open: (source: TermSource) => Promise<TermSpec>;
}): Promise<GuidedArm> {
  const { guide, own, open } = options;
  const model = term(OWN_TERM, own);
  const other = async (id: string, source: TermSource): Promise<Expr> =>
    term(id, await open(source));
  /** A prompt rule on top of the arm's own steering. */
  const reframed = async (id: string, source: TermSource): Promise<Expr> => {
    const spec = await open(source);
    const steered = source.model === undefined ? own.interventions : undefined;
    return term(id, { ...spec, ...(steered === undefined ? {} : { interventions: steered }) });
  };
  if (guide.safeInfer) {
    const { unsafe, lambda, beta } = guide.safeInfer;
    const strength = beta === undefined ? `lambda ${lambda ?? 0.99}` : `beta ${beta}`;
    return {
      formula: safeInferFormula(model, await other('unsafe', unsafe), defined({ lambda, beta })),
      note: `${strength}, unsafe twin: ${describe(unsafe)}`,
    };
  }
  if (guide.safeDecoding) {
    const { expert, ...numbers } = guide.safeDecoding;
    return {
      formula: safeDecodingFormula(model, await other('expert', expert), defined(numbers)),
      note: `SafeDecoding, expert: ${describe(expert)}`,
    };
  }
  if (guide.selfCd) {
    const { emphasised = { systemPrompt: SAFETY_PROMPT }, ...numbers } = guide.selfCd;
    return {
      formula: selfCdFormula(await reframed('emphasised', emphasised), model, defined(numbers)),
      note: `Self-CD away from: ${describe(emphasised)}`,
    };
  }
  if (guide.rose) {
    const { positive, reverse, ...numbers } = guide.rose;
    const towards = positive ? await reframed('positive', positive) : model;
    return {
      formula: roseFormula(towards, await reframed('reverse', reverse), defined(numbers)),
      note: `ROSE against: ${describe(reverse)}`,
    };
  }
  if (guide.dexperts) {
    const { expert, anti, ...numbers } = guide.dexperts;
    return {
      formula: dexpertsFormula(
        model,
        await other('expert', expert),
        await other('anti', anti),
        defined(numbers),
      ),
      note: `DExperts, expert: ${describe(expert)}, anti-expert: ${describe(anti)}`,
    };
  }
  if (guide.proxyTuning) {
    const { tuned, untuned, ...numbers } = guide.proxyTuning;
    return {
      formula: proxyTuningFormula(
        model,
        await other('tuned', tuned),
        await other('untuned', untuned),
        defined(numbers),
      ),
      note: `proxy-tuning, tuned: ${describe(tuned)}, untuned: ${describe(untuned)}`,
    };
  }
  if (guide.contrastive) {
    const { amateur, ...numbers } = guide.contrastive;
    return {
      formula: contrastiveFormula(model, await other('amateur', amateur), defined(numbers)),
      note: `contrastive decoding, amateur: ${describe(amateur)}`,
    };
  }
  if (guide.contextAware) {
    const { without, ...numbers } = guide.contextAware;
    return {
      formula: contextAwareFormula(model, await reframed('without', without), defined(numbers)),
      note: `context-aware decoding against: ${describe(without)}`,
    };
  }
  if (guide.classifierFree) {
    const { negative, ...numbers } = guide.classifierFree;
    return {
      formula: classifierFreeFormula(model, await reframed('negative', negative), defined(numbers)),
      note: `classifier-free guidance against: ${describe(negative)}`,
    };
  }
  if (guide.safetyPrompt) {
    const system = guide.safetyPrompt.system ?? SAFETY_PROMPT;
    return {
      formula: await reframed(OWN_TERM, { systemPrompt: system }),
      note: `safety prompt: ${system}`,
    };
  }
  const { formula, terms } = guide.lma!;
  const named = await Promise.all(
    Object.entries(terms).map(async ([id, source]) => [id, await other(id, source)] as const),
  );
  return {
    formula: lma(formula, { ...Object.fromEntries(named), [OWN_TERM]: model }),
    note: `formula ${formula}`,
  };
}

/** All sources that a guide names. */
export function guideSources(guide: GuideConfig): TermSource[] {
  if (guide.lma) return Object.values(guide.lma.terms);
  return Object.values(guide).flatMap((recipe) =>
    Object.values(recipe ?? {}).filter((part): part is TermSource => typeof part === 'object'),
  );
}

function describe({ model, adapter, systemPrompt, prefix }: TermSource): string {
  const parts = [
    model === undefined ? '' : `checkpoint ${model}`,
    adapter === undefined ? '' : `adapter ${adapter}`,
    systemPrompt === undefined ? '' : 'the same model under another system prompt',
    prefix === undefined ? '' : 'the same model after a prefix',
  ];
  return parts.filter(Boolean).join(', ');
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, entry]) => entry !== undefined),
  ) as Defined<T>;
}
