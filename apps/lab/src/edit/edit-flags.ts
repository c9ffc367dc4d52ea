// What `safeinfer edit` is told on the command line.

export const EDIT_METHODS = ['rome', 'memit', 'emmet', 'pmet', 'alphaedit', 'ft'] as const;
export type EditMethodName = (typeof EDIT_METHODS)[number];

export interface EditFlags {
  readonly model: string;
  readonly backend?: string;
  readonly out: string;
  readonly json: boolean;
  /** One fact. */
  readonly prompt?: string;
  readonly subject?: string;
  readonly target?: string;
  readonly truth?: string;
  readonly paraphrase?: readonly string[];
  readonly neighbor?: readonly string[];
  /** Or a file of facts; `pocket` for the bundled ones. */
  readonly requests?: string;
  readonly only?: readonly string[];
  readonly count?: number;
  readonly zsreTarget: 'answers' | 'alt';
  readonly method: EditMethodName;
  readonly preset?: string;
  readonly layer?: readonly number[];
  readonly factToken?: 'subjectLast' | 'last';
  readonly keys?: 'averaged' | 'original' | 'prompt';
  readonly objective?: 'target' | 'promptLast';
  readonly lr?: number;
  readonly steps?: number;
  readonly clamp?: number;
  readonly decay?: number;
  readonly lambda?: number;
  readonly l2?: number;
  readonly nullSpace?: number;
  /** A file of second moments, or `identity`. */
  readonly moments?: string;
  /** A text file, one text a line, that moments are collected from. */
  readonly collect?: string;
  /** Texts whose perplexity must not rise. */
  readonly drift?: string;
  readonly seed: number;
  readonly undo?: string;
  readonly verify?: string;
  readonly id?: string;
}
