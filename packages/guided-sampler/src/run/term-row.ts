// One term's row of one sequence: its prompt, its cache, and how much of the text it has been fed.
import type { Intervention, RowCache } from '@safeinfer/transformer';
import type { PlanTerm } from '../plan/plan.ts';

/** 'last' in a pass that feeds one token is 'all' in a pass that feeds several: every fed token was once the last. */
function whileCatchingUp(intervention: Intervention): Intervention {
  if (!('op' in intervention)) return intervention;
  const { positions = 'all' } = intervention;
  if (positions === 'all') return intervention;
  if (positions === 'last') return { ...intervention, positions: 'all' };
  if (positions.includes(-1)) return { ...intervention, positions: 'all' };
  return { ...intervention, positions: positions.filter((p) => p >= 0) };
}

export class TermRow implements Disposable {
  readonly term: PlanTerm;
  readonly prompt: readonly number[];
  /** Interventions of passes that feed generated tokens. */
  readonly generationInterventions: readonly Intervention[];
  /** Function interventions may look at how many tokens a pass has: they are fed one by one, as without skipping. */
  readonly oneByOne: boolean;
  /** Without interventions a pass is the same in either phase. */
  readonly phaseless: boolean;
  #cache: RowCache;
  #fed: number;

  constructor(term: PlanTerm, prompt: readonly number[]) {
    this.term = term;
    this.prompt = prompt;
    const interventions = term.spec.interventions ?? [];
    this.generationInterventions = interventions.map(whileCatchingUp);
    this.phaseless = interventions.length === 0;
    this.oneByOne = interventions.some((i) => !('op' in i));
    this.#cache = term.spec.model.createCache();
    this.#fed = 0;
  }

  get cache(): RowCache {
    return this.#cache;
  }

  /** Tokens of prompt + generated text that are in the cache. */
  get fed(): number {
    return this.#fed;
  }

  get promptPending(): boolean {
    return this.#fed < this.prompt.length;
  }

  advance(count: number): void {
    this.#fed += count;
  }

  /** A cheap copy of the state, to go back to; dispose it, or hand it to `restore`. */
  checkpoint(): Checkpoint {
    return { cache: this.#cache.fork(), fed: this.#fed };
  }

  /** Goes back to a checkpoint and takes its cache. */
  restore(checkpoint: Checkpoint): void {
    this.#cache.dispose();
    this.#cache = checkpoint.cache;
    this.#fed = checkpoint.fed;
  }

  [Symbol.dispose](): void {
    this.#cache.dispose();
  }
}

export interface Checkpoint {
  readonly cache: RowCache;
  readonly fed: number;
}
