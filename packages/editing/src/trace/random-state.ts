// numpy's legacy RandomState: MT19937 and the polar Gaussian, so that causal tracing corrupts as the reference does.
import { SafeInferError } from '@safeinfer/backend';
import { preciseLog } from './precise-log.ts';

const N = 624;
const M = 397;

/**
 * Draws of `numpy.random.RandomState(seed)`, the same float64 numbers in the same order; Gaussian ones but for a last bit
 * where the C library under numpy does not round a logarithm correctly (2 of 5,000 draws of seed 1).
 */
export class RandomState {
  readonly #state = new Uint32Array(N);
  #next = N;
  #spare: number | undefined;

  /** `seed` is a whole number from 0 to 2^32 - 1. @throws BAD_ARGUMENT as numpy refuses others */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new SafeInferError(`seed is ${seed}`, {
        code: 'BAD_ARGUMENT',
        hint: 'give a whole number from 0 to 4294967295',
      });
    }
    this.#state[0] = seed;
    for (let i = 1; i < N; i += 1) {
      const previous = this.#state[i - 1]!;
      this.#state[i] = Math.imul(1_812_433_253, previous ^ (previous >>> 30)) + i;
    }
  }

  /** `count` standard normals. */
  randn(count: number): Float64Array {
    return Float64Array.from({ length: count }, () => this.#gauss());
  }

  /** Marsaglia's polar method: pairs, of which the second is given first and the first kept. */
  #gauss(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    let [x, y, square] = [0, 0, 0];
    do {
      x = 2 * this.randomSample() - 1;
      y = 2 * this.randomSample() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * preciseLog(square)) / square);
    this.#spare = factor * x;
    return factor * y;
  }

  /** The next uniform draw, 53 bits in [0, 1): numpy's `random_sample`. */
  randomSample(): number {
    const high = this.#uint32() >>> 5;
    const low = this.#uint32() >>> 6;
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  }

  #uint32(): number {
    if (this.#next === N) this.#refill();
    let y = this.#state[this.#next]!;
    this.#next += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  #refill(): void {
    const state = this.#state;
    for (let i = 0; i < N; i += 1) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
      state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}
