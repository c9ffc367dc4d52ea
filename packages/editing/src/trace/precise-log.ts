// Natural logarithm rounded correctly: Math.log may be off by one bit, and numpy's C library is not.

/** An unevaluated sum of two float64 numbers. */
type Pair = readonly [high: number, low: number];

/** Dekker's constant: splits a float64 into halves whose products are exact. */
const SPLITTER = 2 ** 27 + 1;

/** ln 2 to 106 bits. */
const LN2: Pair = [Math.LN2, 2.3190468138462996e-17];

/** Terms of the series below until they fall under 2^-75 for |s| <= 0.172. */
const TERMS = 16;

function sum(a: number, b: number): Pair {
  const high = a + b;
  const part = high - a;
  return [high, a - (high - part) + (b - part)];
}

function product(a: number, b: number): Pair {
  const high = a * b;
  const split = (x: number): Pair => {
    const scaled = SPLITTER * x;
    const top = scaled - (scaled - x);
    return [top, x - top];
  };
  const [a1, a2] = split(a);
  const [b1, b2] = split(b);
  return [high, a1 * b1 - high + a1 * b2 + a2 * b1 + a2 * b2];
}

function add([a, b]: Pair, [c, d]: Pair): Pair {
  const [high, low] = sum(a, c);
  return sum(high, low + b + d);
}

function multiply([a, b]: Pair, [c, d]: Pair): Pair {
  const [high, low] = product(a, c);
  return sum(high, low + a * d + b * c);
}

function divide(a: Pair, b: Pair): Pair {
  const first = a[0] / b[0];
  const rest = add(a, multiply(b, [-first, 0]));
  return sum(first, rest[0] / b[0]);
}

/** ln x for normal x > 0: x = m 2^k with m near 1, ln m = 2 artanh((m - 1) / (m + 1)). */
export function preciseLog(x: number): number {
  let k = Math.round(Math.log2(x));
  let m = x / 2 ** k;
  if (m > Math.SQRT2) {
    m /= 2;
    k += 1;
  }
  const s = divide(sum(m, -1), sum(m, 1));
  const square = multiply(s, s);
  let series: Pair = [0, 0];
  for (let term = TERMS; term >= 0; term -= 1)
    series = add(multiply(series, square), divide([1, 0], [2 * term + 1, 0]));
  const log = multiply([2 * s[0], 2 * s[1]], series);
  return add(log, multiply([k, 0], LN2))[0];
}
