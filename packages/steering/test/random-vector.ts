// Seeded vectors for tests.
import { normals } from '@safeinfer/transformer';

export function randomVector(seed: number, width: number): Float32Array {
  return Float32Array.from(normals(Math.imul(seed, 7919) + 13, width));
}
