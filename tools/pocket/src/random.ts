// Seeded random numbers: every choice of the corpus comes from a string key, so a document is a function of (seed, index).

/** A deterministic stream of random choices. */
export interface Random {
  /** Next number in [0, 1). */
  next(): number;
  /** Integer in [0, n). */
  int(n: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  shuffle<T>(items: readonly T[]): T[];
}

/** 32-bit FNV-1a of a text, with a final avalanche because FNV's low bits are weak on short keys. */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

/** A number in [0, 1) fixed by the key. */
export function hashUnit(key: string): number {
  return hashText(key) / 4294967296;
}

/** About normal (sum of four uniforms, variance 1), fixed by the key. */
export function hashNormal(key: string): number {
  let sum = 0;
  for (let i = 0; i < 4; i += 1) sum += hashUnit(`${key}#${i}`);
  return (sum - 2) * Math.sqrt(3);
}

/** mulberry32 seeded by the hash of a key. */
export function createRandom(key: string): Random {
  let state = hashText(key);
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const int = (n: number): number => Math.floor(next() * n);
  const pick = <T>(items: readonly T[]): T => {
    if (items.length === 0) throw new RangeError('pick() needs a non-empty list');
    return items[int(items.length)] as T;
  };
  const shuffle = <T>(items: readonly T[]): T[] => {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i -= 1) {
      const j = int(i + 1);
      const held = out[i] as T;
      out[i] = out[j] as T;
      out[j] = held;
    }
    return out;
  };
  return { next, int, chance: (p) => next() < p, pick, shuffle };
}
