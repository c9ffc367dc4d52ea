// Counts of what each term did: the numbers that show what a formula costs.

export interface TermStats {
  /** Forward passes in which the term had a row. */
  readonly forwards: number;
  /** Tokens fed, prompt included. */
  readonly tokens: number;
  /** Generated tokens that were decided without it. */
  readonly skipped: number;
  /** Drafted tokens it was needed for: kept and replaced. */
  readonly accepted: number;
  readonly rejected: number;
  /** Its share of the passes' wall time, by rows. */
  readonly ms: number;
}

export interface RunStats {
  /** Forward passes over all terms. */
  readonly passes: number;
  readonly generated: number;
  readonly terms: Readonly<Record<string, TermStats>>;
}

type Mutable = { -readonly [K in keyof TermStats]: TermStats[K] };

/** Collects while a generation runs. */
export class StatsCollector {
  readonly #terms: ReadonlyMap<string, Mutable>;
  passes = 0;
  generated = 0;

  constructor(ids: readonly string[]) {
    this.#terms = new Map(
      ids.map((id) => [
        id,
        { forwards: 0, tokens: 0, skipped: 0, accepted: 0, rejected: 0, ms: 0 },
      ]),
    );
  }

  add(id: string, field: keyof TermStats, amount: number): void {
    const term = this.#terms.get(id);
    if (term !== undefined) term[field] += amount;
  }

  snapshot(): RunStats {
    return {
      passes: this.passes,
      generated: this.generated,
      terms: Object.fromEntries([...this.#terms].map(([id, stats]) => [id, { ...stats }])),
    };
  }
}
