// What the numbered checks measure, for the table of CHECKS.md: kept when SAFEINFER_FIGURES names a file.
import { appendFileSync } from 'node:fs';

/** One measured number; of several under one name the table shows the worst. */
export interface Figure {
  readonly check: number;
  readonly what: string;
  readonly value: number;
  /** `error`: small is good. `share`: large is good. `control`: a wrong implementation's distance, which is large. */
  readonly kind: 'error' | 'share' | 'control';
}

/** Returns `value`, to be asserted by the test. */
export function figure(
  check: number,
  what: string,
  value: number,
  kind: Figure['kind'] = 'error',
): number {
  const path = process.env['SAFEINFER_FIGURES'];
  const line: Figure = { check, what, value, kind };
  if (path) appendFileSync(path, `${JSON.stringify(line)}\n`);
  return value;
}
