// Counter-based random numbers: the n-th number of a seed is the same whatever was drawn before.

/** A well-mixed 32-bit hash of two integers (the finaliser of MurmurHash3, applied twice). */
function hash(seed: number, counter: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ counter;
  for (let i = 0; i < 2; i++) {
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h >>> 0;
}

/** Uniform in (0, 1). */
export function uniformAt(seed: number, counter: number): number {
  return (hash(seed, counter) + 0.5) / 4294967296;
}

/** `count` standard normal numbers of a seed (Box-Muller). */
export function normals(seed: number, count: number): Float32Array {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(uniformAt(seed, i)));
    const angle = 2 * Math.PI * uniformAt(seed, i + 1);
    out[i] = radius * Math.cos(angle);
    if (i + 1 < count) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}
