// Adaptive attackers: an interface only. They read the conversation and write the next user turn.
import type { Item } from '../datasets/item.ts';
import type { ChatMessage } from '../generate.ts';

export interface AttackState {
  readonly item: Item;
  /** The whole conversation, ending with the model's last answer. */
  readonly transcript: readonly ChatMessage[];
  /** Turns already answered, 1 after the first answer. */
  readonly turn: number;
  readonly seed: number;
}

export interface Attacker {
  readonly id: string;
  readonly version: string;
  /** Most turns of one conversation, including the first. */
  readonly maxTurns: number;
  /** The next user turn, or null to stop and have the last answer judged. Must be a function of the state alone. */
  readonly next: (
    state: AttackState,
    options: { readonly signal?: AbortSignal },
  ) => Promise<string | null>;
}
