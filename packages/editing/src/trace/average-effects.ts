// Averages of causal traces over prompts, by the role a token plays (Meng et al. 2022, figure 2).
import { SafeInferError } from '@safeinfer/backend';
import type { CausalTrace } from './causal-trace.ts';

export const TOKEN_ROLES = [
  'First subject token',
  'Middle subject tokens',
  'Last subject token',
  'First subsequent token',
  'Further tokens',
  'Last token',
] as const;

export interface AverageEffects {
  readonly roles: readonly string[];
  /** [role][layer]: mean of score - low; NaN where no trace has such a token. */
  readonly effects: readonly (readonly number[])[];
  /** [role][layer]: half width of the 95 % interval, 1.96 x standard error; NaN below two traces. */
  readonly halfWidths: readonly (readonly number[])[];
  /** Mean of high - low, and its half width. */
  readonly totalEffect: number;
  readonly totalHalfWidth: number;
  readonly traces: number;
}

/** @throws BAD_ARGUMENT for no traces or traces of different kinds */
export function averageEffects(traces: readonly CausalTrace[]): AverageEffects {
  const [first] = traces;
  const layers = first?.scores[0]?.length ?? 0;
  const alike = traces.every(
    (trace) =>
      trace.kind === first?.kind &&
      trace.window === first.window &&
      trace.severed === first.severed &&
      trace.scores[0]?.length === layers,
  );
  if (!first || !alike) {
    throw new SafeInferError('averages need traces of one model, kind and window', {
      code: 'BAD_ARGUMENT',
      hint: 'give at least one trace, and average each kind by itself',
    });
  }
  const cells = TOKEN_ROLES.map((_, role) =>
    Array.from({ length: layers }, (_unused, layer) =>
      traces.flatMap((trace) => {
        const tokens = tokensOf(trace, role);
        if (tokens.length === 0) return [];
        const sum = tokens.reduce((total, token) => total + trace.scores[token]![layer]!, 0);
        return [sum / tokens.length - trace.lowScore];
      }),
    ),
  );
  const totals = traces.map(({ highScore, lowScore }) => highScore - lowScore);
  return {
    roles: TOKEN_ROLES,
    effects: cells.map((row) => row.map(mean)),
    halfWidths: cells.map((row) => row.map(halfWidth)),
    totalEffect: mean(totals),
    totalHalfWidth: halfWidth(totals),
    traces: traces.length,
  };
}

/**
 * The layer to edit first: where restoring MLPs at the last subject token has the largest average effect. A heuristic:
 * the best layer for an edit need not be the one that tracing shows.
 */
export function suggestLayer(effects: AverageEffects): number {
  const row = effects.effects[2]!;
  return row.reduce((best, effect, layer) => (effect > row[best]! ? layer : best), 0);
}

function tokensOf({ tokens, span: [begin, end] }: CausalTrace, role: number): number[] {
  const last = tokens.length - 1;
  const from = (start: number, stop: number): number[] =>
    Array.from({ length: Math.max(0, stop - start) }, (_, i) => start + i);
  switch (role) {
    case 0:
      return [begin];
    case 1:
      return from(begin + 1, end - 1);
    case 2:
      return [end - 1];
    case 3:
      return end < last ? [end] : [];
    case 4:
      return from(end + 1, last);
    default:
      return [last];
  }
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, x) => sum + x, 0) / values.length;
}

function halfWidth(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN;
  const centre = mean(values);
  const square = values.reduce((sum, x) => sum + (x - centre) ** 2, 0) / (values.length - 1);
  return 1.96 * Math.sqrt(square / values.length);
}
