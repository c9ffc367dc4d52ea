// Keys that a differentiable pass hides from queries, beyond what the causal mask hides.

export interface KeyVisibility {
  /** Layers in which it holds; default all. */
  readonly layers?: (layer: number) => boolean;
  /**
   * Whether the token at position `query` of a row may attend to the one at position `key`, which is earlier. Asked
   * once for all layers. A token always attends to itself.
   */
  readonly visible: (row: number, query: number, key: number) => boolean;
}
