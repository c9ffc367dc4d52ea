// Rounding of float32 to the 16-bit formats, to nearest with ties to even as torch does.

const word = new Float32Array(1);
const bitsOfWord = new Uint32Array(word.buffer);

/** Bits of the bfloat16 nearest to `value`; NaN stays NaN, overflow becomes Infinity. */
export function bfloat16Bits(value: number): number {
  word[0] = value;
  const bits = bitsOfWord[0] as number;
  if (Number.isNaN(value)) return 0x7fc0;
  // Adding just under half, plus the last kept bit, carries exactly when the nearest even is above.
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Bits of the IEEE half nearest to `value`, subnormals included; overflow becomes Infinity. */
export function float16Bits(value: number): number {
  word[0] = value;
  const bits = bitsOfWord[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (Number.isNaN(value)) return 0x7e00;
  // 2^16 and above; the values just below round up to Infinity by carry in the next case.
  if (magnitude >= 0x4780_0000) return sign | 0x7c00;
  // 2^-14 is the smallest normal half; the exponent bias shrinks from 127 to 15.
  if (magnitude >= 0x3880_0000) {
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - (112 << 23)) >>> 13);
  }
  // Subnormal halves count units of 2^-24; the product is exact in float64.
  bitsOfWord[0] = magnitude;
  return sign | roundHalfEven((word[0] as number) * 2 ** 24);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}
