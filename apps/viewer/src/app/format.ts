// Numbers and places as the pages write them.
import type { Rate } from '../schema/report-rows.ts';

export function percent(share: number): string {
  return (100 * share).toFixed(1);
}

export function intervalText({ value, low, high }: Pick<Rate, 'value' | 'low' | 'high'>): string {
  return `${percent(value)} [${percent(low)}, ${percent(high)}]`;
}

export function countText(value: number): string {
  return value.toLocaleString('en-US');
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(0)} kB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

/** Signed, short enough for a cell of a map. */
export function signed(value: number): string {
  if (value === 0) return '0';
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toPrecision(2)}`;
}
