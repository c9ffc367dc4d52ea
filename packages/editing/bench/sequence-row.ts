// What pocket-sequence.ts has counted after some edits, as it stands in a line of JSON.

/** How many of how many. */
export type Count = readonly [won: number, of: number];

export interface SequenceRow {
  readonly method: string;
  /** `test`, or `tune`: those that settings are chosen on. */
  readonly facts: string;
  readonly layers: readonly number[];
  readonly token: string;
  readonly setting: string;
  /** Edits so far. */
  readonly after: number;
  /** Facts whose new object was the argmax right after their own edit. */
  readonly taken: number;
  readonly efficacy: Count;
  readonly paraphrase: Count;
  readonly neighbourhood: Count;
  readonly harmless: Count;
  readonly harmlessBefore: Count;
  /** Exact, of harmless answers before and after. */
  readonly mcnemarP: number;
  readonly sameSubject: Count;
  readonly perplexityRatio: number;
  /** Largest |W - W0| / |W0|. */
  readonly relativeChange: number;
}
