// Cosine and sine tables of rotary position embeddings, computed in imitated fp32 as Hugging Face does.
import type { RotaryConfig } from './model-config.ts';

// Every step below rounds to fp32: tables computed in float64 drift from the reference by 1e-5 at position
// 1024 and by 1e-3 at 32k, which is far above parity tolerance, and GPU sines are coarser still.
const f32 = Math.fround;

export interface RopeTable {
  /** [length, dim / 2], row-major: cosine of position x frequency, times the attention factor. */
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** True when the frequencies of a row depend on how long the row is (dynamic NTK and longrope). */
export function dependsOnLength(rotary: RotaryConfig): boolean {
  return rotary.scaling.kind === 'dynamic' || rotary.scaling.kind === 'longrope';
}

/**
 * A key that is equal for two sequence lengths exactly when they share frequencies, to cache tables by.
 * `sequenceLength` counts the row's real tokens, cached ones included.
 */
export function ropeTableKey(rotary: RotaryConfig, sequenceLength: number): number {
  const { scaling } = rotary;
  if (scaling.kind === 'dynamic') return Math.max(sequenceLength, scaling.originalMaxPositions);
  if (scaling.kind === 'longrope') return sequenceLength > scaling.originalMaxPositions ? 1 : 0;
  return 0;
}

/**
 * Tables of positions 0 .. length - 1. Pairs are (i, i + dim/2), or (2i, 2i + 1) when `interleaved`:
 * the table is the same for both. Source: Hugging Face `modeling_rope_utils`, 5.18.
 */
export function ropeTable(options: {
  readonly rotary: RotaryConfig;
  /** Number of positions to tabulate. */
  readonly length: number;
  /** Length of the row these positions belong to; matters for dynamic and longrope only. */
  readonly sequenceLength: number;
}): RopeTable {
  const { rotary, length, sequenceLength } = options;
  const frequencies = inverseFrequencies(rotary, sequenceLength);
  const half = frequencies.length;
  const factor = f32(attentionFactor(rotary));
  const cos = new Float32Array(length * half);
  const sin = new Float32Array(length * half);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < half; i++) {
      const angle = f32(position * (frequencies[i] as number));
      cos[position * half + i] = f32(Math.cos(angle)) * factor;
      sin[position * half + i] = f32(Math.sin(angle)) * factor;
    }
  }
  return { cos, sin };
}

/** [dim / 2] radians per position. */
export function inverseFrequencies(rotary: RotaryConfig, sequenceLength: number): Float32Array {
  const { dim, theta, scaling } = rotary;
  const plain = periods(theta, dim).map((period) => f32(1 / period));
  switch (scaling.kind) {
    case 'none':
      return plain;
    case 'linear':
      return plain.map((frequency) => frequency / f32(scaling.factor));
    case 'dynamic':
      return dynamic(rotary, scaling, sequenceLength);
    case 'llama3':
      return plain.map((frequency) => llama3(frequency, scaling));
    case 'yarn':
      return yarn(rotary, scaling);
    case 'longrope': {
      const factors =
        sequenceLength > scaling.originalMaxPositions ? scaling.longFactor : scaling.shortFactor;
      return periods(theta, dim).map((period, i) =>
        f32(1 / f32(f32(factors[i] as number) * period)),
      );
    }
  }
}

function attentionFactor({ scaling }: RotaryConfig): number {
  return scaling.kind === 'yarn' || scaling.kind === 'longrope' ? scaling.attentionFactor : 1;
}

/** theta^(2i / dim) for each pair. */
function periods(theta: number, dim: number): Float32Array {
  const base = f32(theta);
  return Float32Array.from({ length: dim / 2 }, (_, i) => base ** f32((2 * i) / dim));
}

type Scaling<K extends RotaryConfig['scaling']['kind']> = Extract<
  RotaryConfig['scaling'],
  { readonly kind: K }
>;

/** NTK-aware: the base grows once a row is longer than the trained length. */
function dynamic(
  { dim, theta }: RotaryConfig,
  { factor, originalMaxPositions }: Scaling<'dynamic'>,
  sequenceLength: number,
): Float32Array {
  if (sequenceLength <= originalMaxPositions) {
    return periods(theta, dim).map((period) => f32(1 / period));
  }
  const stretch = f32(
    f32(f32(f32(factor) * sequenceLength) / originalMaxPositions) - f32(factor - 1),
  );
  const base = f32(f32(theta) * f32(stretch ** (dim / (dim - 2))));
  return periods(base, dim).map((period) => f32(1 / period));
}

/** Keeps short wavelengths, divides long ones by the factor, interpolates between; at every length. */
function llama3(frequency: number, scaling: Scaling<'llama3'>): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
  const wavelength = f32(f32(1 / frequency) * f32(2 * Math.PI));
  if (wavelength > f32(originalMaxPositions / lowFreqFactor)) return f32(frequency / f32(factor));
  if (wavelength < f32(originalMaxPositions / highFreqFactor)) return frequency;
  const ratio = f32(f32(1 / wavelength) * f32(originalMaxPositions));
  const smooth = f32(f32(ratio - f32(lowFreqFactor)) / f32(highFreqFactor - lowFreqFactor));
  const divided = f32(f32(f32(1 - smooth) * frequency) / f32(factor));
  return f32(divided + f32(smooth * frequency));
}

/** Ramp between extrapolation (fast dims) and interpolation (slow dims). */
function yarn({ dim, theta }: RotaryConfig, scaling: Scaling<'yarn'>): Float32Array {
  const { factor, betaFast, betaSlow, originalMaxPositions, truncate } = scaling;
  const correction = (rotations: number): number =>
    (dim * Math.log(originalMaxPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const fast = correction(betaFast);
  const slow = correction(betaSlow);
  const low = Math.max(truncate ? Math.floor(fast) : fast, 0);
  let high = Math.min(truncate ? Math.ceil(slow) : slow, dim - 1);
  if (low === high) high += 0.001; // the reference's guard against a division by zero
  return periods(theta, dim).map((period, i) => {
    const ramp = Math.min(1, Math.max(0, f32(f32(i - f32(low)) / f32(high - low))));
    const keep = f32(1 - ramp);
    const interpolated = f32(1 / f32(f32(factor) * period));
    return f32(f32(interpolated * f32(1 - keep)) + f32(f32(1 / period) * keep));
  });
}
