// What the trainer trains on: token ids, and how much each of them counts.

export interface TrainingExample {
  /** Names the example in errors; default: its index. */
  readonly id?: string;
  /** Token ids, with BOS where the model expects it. */
  readonly tokens: ArrayLike<number>;
  /**
   * For each token, the weight of the loss of predicting it from those before; 0 for none. The first token is
   * never predicted, so its weight does not matter.
   */
  readonly weights: ArrayLike<number>;
}

/** How an example is called in messages. */
export function nameOf(example: TrainingExample, index: number): string {
  return example.id === undefined ? `example ${index}` : `example '${example.id}'`;
}
