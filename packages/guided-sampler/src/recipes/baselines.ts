// Plans of the decoding-time baselines, one function a method, over the model and what differs from it.
import type { Transformer } from '@safeinfer/transformer';
import { term } from '../formula/expr.ts';
import { compile, type Plan } from '../plan/plan.ts';
import {
  classifierFreeFormula,
  contextAwareFormula,
  contrastiveFormula,
  dexpertsFormula,
  proxyTuningFormula,
  roseFormula,
  safeDecodingFormula,
  selfCdFormula,
} from './formulas.ts';
import { type Source, sourceTerm } from './source.ts';

interface Base {
  readonly model: Transformer;
}

/** The model alone. */
export function plain(options: Base & Source): Plan {
  const { model, ...source } = options;
  return compile(sourceTerm('model', model, source));
}

/** What a safety prompt says when the caller has no words of their own. */
export const SAFETY_PROMPT =
  'You are a careful assistant. Help with harmless requests. Decline, briefly and politely, whatever could hurt people.';

/** The model under a safety system message (chat prompts). */
export function safetyPrompt(options: Base & { readonly system?: string }): Plan {
  return compile(
    term('model', { model: options.model, prompt: { system: options.system ?? SAFETY_PROMPT } }),
  );
}

/** SafeDecoding (Xu et al. 2024): a safety expert leads the first tokens. Defaults alpha 3, 2 tokens, 5 common. */
export function safeDecoding(
  options: Base & {
    readonly expert: Source;
    readonly alpha?: number;
    readonly first?: number;
    readonly common?: number;
  },
): Plan {
  const { model, expert, ...numbers } = options;
  return compile(
    safeDecodingFormula(term('base', { model }), sourceTerm('expert', model, expert), numbers),
  );
}

/** Self-CD (Shi et al. 2024): away from the distribution under a safety-emphasising prompt. Default ratio 2.5. */
export function selfCd(
  options: Base & { readonly emphasised: Source; readonly ratio?: number },
): Plan {
  const { model, emphasised, ...numbers } = options;
  return compile(
    selfCdFormula(sourceTerm('emphasised', model, emphasised), term('plain', { model }), numbers),
  );
}

/** ROSE (Zhong et al. 2024): a positive prompt against a reversed one. Default alpha 0.5. */
export function rose(
  options: Base & { readonly positive?: Source; readonly reverse: Source; readonly alpha?: number },
): Plan {
  const { model, positive, reverse, ...numbers } = options;
  return compile(
    roseFormula(
      sourceTerm('positive', model, positive),
      sourceTerm('reverse', model, reverse),
      numbers,
    ),
  );
}

/** DExperts (Liu et al. 2021). Defaults alpha 2, nucleus 0.9. */
export function dexperts(
  options: Base & {
    readonly expert: Source;
    readonly anti: Source;
    readonly alpha?: number;
    readonly nucleus?: number;
  },
): Plan {
  const { model, expert, anti, ...numbers } = options;
  return compile(
    dexpertsFormula(
      term('base', { model }),
      sourceTerm('expert', model, expert),
      sourceTerm('anti', model, anti),
      numbers,
    ),
  );
}

/** Proxy-tuning (Liu et al. 2024): what tuning did to a small model, applied to a large one. Default alpha 1. */
export function proxyTuning(
  options: Base & { readonly tuned: Source; readonly untuned: Source; readonly alpha?: number },
): Plan {
  const { model, tuned, untuned, ...numbers } = options;
  return compile(
    proxyTuningFormula(
      term('large', { model }),
      sourceTerm('tuned', model, tuned),
      sourceTerm('untuned', model, untuned),
      numbers,
    ),
  );
}

/** Contrastive decoding (Li et al. 2023). Defaults coefficient 1, amateur temperature 0.5, plausibility 0.1. */
export function contrastiveDecoding(
  options: Base & {
    readonly amateur: Source;
    readonly coefficient?: number;
    readonly amateurTemperature?: number;
    readonly plausibility?: number;
  },
): Plan {
  const { model, amateur, ...numbers } = options;
  return compile(
    contrastiveFormula(term('expert', { model }), sourceTerm('amateur', model, amateur), numbers),
  );
}

/** Context-aware decoding (Shi et al. 2023): `without` is the same question without its context. Default alpha 0.5. */
export function contextAware(
  options: Base & { readonly without: Source; readonly alpha?: number },
): Plan {
  const { model, without, ...numbers } = options;
  return compile(
    contextAwareFormula(term('context', { model }), sourceTerm('without', model, without), numbers),
  );
}

/** Classifier-free guidance (Sanchez et al. 2023) against an unconditioned or negative prompt. Default scale 1.5. */
export function classifierFree(
  options: Base & { readonly negative: Source; readonly scale?: number },
): Plan {
  const { model, negative, ...numbers } = options;
  return compile(
    classifierFreeFormula(
      term('conditioned', { model }),
      sourceTerm('negative', model, negative),
      numbers,
    ),
  );
}
