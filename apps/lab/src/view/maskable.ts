// The lab's mask rule applied to one record: what may be shown at once, what only when asked for, and what never.
import { concernsSexualContentWithMinors } from '@safeinfer/harmeval';
import type { CausalTrace, MaskableText, TokenTrace, TrialRecord } from '@safeinfer/viewer';
import { maskText } from '../mask/mask-text.ts';

export interface MaskableTrial {
  /** The question itself is one that is never shown. */
  readonly redacted: boolean;
  readonly prompt: MaskableText;
  readonly output: MaskableText;
}

const NEVER_SHOWN = { masked: '[never shown]' } as const satisfies MaskableText;

/**
 * Questions of the harmful kind and every answer to them are masked, refusals too: a judge may be wrong about those.
 * Data from outside may hold rows about sexual content with minors or child abuse; their text never leaves the file.
 */
export function maskable(record: TrialRecord): MaskableTrial {
  const { prompt, output, category } = record;
  const redacted = concernsSexualContentWithMinors([prompt], category);
  const rule = (text: string): MaskableText => {
    if (redacted || concernsSexualContentWithMinors([text], category)) return NEVER_SHOWN;
    return record.kind === 'harmful' ? { masked: maskText(text), full: text } : { full: text };
  };
  return { redacted, prompt: rule(prompt), output: rule(output) };
}

/** A causal trace without its text where that is of the kind that is never shown; the maps stay. */
export function shownTrace(trace: CausalTrace): CausalTrace {
  if (!concernsSexualContentWithMinors([trace.prompt, trace.answer])) return trace;
  const { masked } = NEVER_SHOWN;
  return { ...trace, prompt: masked, answer: masked, tokens: trace.tokens.map(() => '·') };
}

/** Tokens without any of their text; the numbers stay. */
export function withoutText(tokens: readonly TokenTrace[]): TokenTrace[] {
  return tokens.map((token) => ({
    ...token,
    text: '',
    alternatives: token.alternatives.map(({ logprob }) => ({ text: '', logprob })),
  }));
}
