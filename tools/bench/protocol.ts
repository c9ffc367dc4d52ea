// What the measuring processes are asked, one JSON line a command, and what they answer.
import type { ShapeName } from './model-shapes.ts';

export type Command =
  /** X [rows, inner] W [inner, columns], W the same at every call. */
  | {
      readonly op: 'matmul';
      readonly rows: number;
      readonly inner: number;
      readonly columns: number;
    }
  /** Builds the model that later commands run. */
  | { readonly op: 'model'; readonly shape: ShapeName }
  /** One pass over `rows` prompts of `tokens` tokens, logits of the last. */
  | { readonly op: 'prefill'; readonly rows: number; readonly tokens: number }
  /** The same pass with activations kept: every residual, or every point of TransformerLens' default cache. */
  | {
      readonly op: 'cache';
      readonly rows: number;
      readonly tokens: number;
      readonly points: 'residuals' | 'all';
    }
  /** `steps` greedy steps of `rows` sequences after prompts of `tokens` tokens. */
  | {
      readonly op: 'decode';
      readonly rows: number;
      readonly tokens: number;
      readonly steps: number;
    }
  /** Loss over all tokens of `rows` sequences and its gradient in every weight. */
  | { readonly op: 'train'; readonly rows: number; readonly tokens: number }
  /** Ten thousand additions of two vectors of 8. */
  | { readonly op: 'overhead' }
  | { readonly op: 'memory' };

/** Milliseconds of one unit (a call, a pass, a step), or bytes for `memory`. */
export interface Answer {
  readonly value: number;
  /** Why the command has no answer here. */
  readonly error?: string;
}

/** What a process says first. */
export interface Hello {
  readonly subject: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
}
