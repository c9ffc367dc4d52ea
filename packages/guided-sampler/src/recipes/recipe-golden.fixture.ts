// Distributions of the published formulas, from an independent script (tools/parity), for tests.
import { readFileSync } from 'node:fs';

/** Logits of three terms, and the log-probabilities of every recipe. */
interface Case {
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly c: readonly number[];
  readonly expected: Readonly<Record<string, readonly number[]>>;
}
/** `removed` stands for a token that a recipe rules out. */
export const golden: { readonly removed: number; readonly cases: readonly Case[] } = JSON.parse(
  readFileSync(new URL('../../fixtures/recipes.json', import.meta.url), 'utf8'),
);
