// Python's strftime for chat templates: English names, UTC, so that a prompt is the same everywhere.
import { SafeInferError } from '@safeinfer/backend';

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;
const days = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
] as const;

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

const fields: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => pad(date.getUTCFullYear(), 4),
  y: (date) => pad(date.getUTCFullYear() % 100),
  m: (date) => pad(date.getUTCMonth() + 1),
  d: (date) => pad(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2, ' '),
  B: (date) => months[date.getUTCMonth()] ?? '',
  b: (date) => (months[date.getUTCMonth()] ?? '').slice(0, 3),
  A: (date) => days[date.getUTCDay()] ?? '',
  a: (date) => (days[date.getUTCDay()] ?? '').slice(0, 3),
  H: (date) => pad(date.getUTCHours()),
  I: (date) => pad(date.getUTCHours() % 12 || 12),
  M: (date) => pad(date.getUTCMinutes()),
  S: (date) => pad(date.getUTCSeconds()),
  p: (date) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  j: (date) => pad(dayOfYear(date), 3),
  F: (date) => date.toISOString().slice(0, 10),
  '%': () => '%',
};

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
}

/**
 * Formats a date (UTC). `%-d` and the like leave out the leading zero.
 *
 * @throws SafeInferError `UNSUPPORTED` for a field that is not known, rather than printing it
 */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)([\s\S]?)/g, (whole, bare: string, field: string) => {
    const write = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (write === undefined) {
      throw new SafeInferError(`the chat template formats a date with '${whole}'`, {
        code: 'UNSUPPORTED',
        hint: `known fields are ${Object.keys(fields).join(' ')}; give the date as a variable instead`,
      });
    }
    return bare === '-' ? write(date).replace(/^[0 ]+(?=.)/, '') : write(date);
  });
}
