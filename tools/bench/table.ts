// Medians of interleaved measurements as a Markdown table, with each subject's speed relative to PyTorch fp32.

/** One thing measured on every subject; values in the order of the rounds. */
export interface Measurement {
  readonly label: string;
  readonly values: ReadonlyMap<string, readonly number[]>;
  readonly errors: ReadonlyMap<string, string>;
}

/** The yardstick, when it ran. */
const BASE = 'torch-float32';

/** `12.3 (2.10x)`: the median, and how many times faster than the yardstick (median of per-round ratios). */
export function table(
  measurements: readonly Measurement[],
  options: { readonly header: boolean; readonly subjects: readonly string[] },
): string {
  const { header, subjects } = options;
  const lines = header
    ? [`| | ${subjects.join(' | ')} |`, `|---|${'---|'.repeat(subjects.length)}`]
    : [];
  for (const { label, values, errors } of measurements) {
    const cells = subjects.map((name) => {
      const own = values.get(name);
      if (own === undefined) return errors.get(name) ?? '';
      const base = values.get(BASE);
      if (base === undefined || name === BASE) return format(median(own));
      const ratio = median(own.map((value, round) => base[round]! / value));
      return `${format(median(own))} (${ratio.toFixed(2)}x)`;
    });
    lines.push(`| ${label} | ${cells.join(' | ')} |`);
  }
  return lines.join('\n');
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function format(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(0)} M`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
