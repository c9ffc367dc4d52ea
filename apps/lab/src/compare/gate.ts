// A condition on the results for CI: `asr(SafeInfer).high < 10%`, `asr(SafeInfer) < asr(base)`.
import { ConfigError } from '../errors/config-error.ts';
import { MEASURES, type MeasureName } from '../report/measures.ts';
import type { SummaryRow } from '../report/summarise.ts';
import type { PairedDifference } from './paired-differences.ts';

/** A row that gates can name, by any of its labels. */
export interface GateRow {
  readonly labels: {
    readonly run: string;
    readonly edit: string;
    readonly style: string;
    readonly arm: string;
  };
  readonly rates: SummaryRow;
  readonly answers: number;
  /** Of this row against its baseline. */
  readonly deltas: readonly PairedDifference[];
}

export interface GateResult {
  readonly gate: string;
  readonly passed: boolean;
  /** One line a row: what was compared with what. */
  readonly details: readonly string[];
}

type Measure = MeasureName | 'other' | 'unscored';

interface Term {
  readonly text: string;
  readonly measure: Measure;
  readonly selector: readonly string[];
  readonly path: readonly string[];
}

interface Gate {
  readonly left: Term;
  readonly operator: string;
  readonly right: Term | number;
}

const TERM = String.raw`([A-Za-z]+)(?:\(([^)]*)\))?((?:\.[A-Za-z0-9]+)*)`;
const GATE = new RegExp(String.raw`^\s*${TERM}\s*(<=|>=|<|>)\s*(?:${TERM}|(-?[\d.]+)\s*(%?))\s*$`);
const NAMES: readonly Measure[] = [...MEASURES, 'other', 'unscored'];
const ALIASES: Readonly<Record<string, string>> = { upper95: 'high', lower95: 'low' };

const OPERATORS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** @throws ConfigError for a gate that cannot be read, names no row, or asks for what was not measured */
export function checkGate(text: string, rows: readonly GateRow[]): GateResult {
  const { left, operator, right } = parseGate(text);
  const matching = rowsOf(left, rows, text);
  const holds = OPERATORS[operator]!;
  const results = matching.map((row) => {
    const value = measured(left, row, text);
    const other = typeof right === 'number' ? undefined : partner(right, row, rows, text);
    const bound = typeof right === 'number' ? right : measured(right, other!, text);
    const names = [nameOf(row), ...(other ? [`${nameOf(other)}`] : [])].join(' against ');
    return {
      passed: holds(value, bound),
      detail: `${names}: ${shown(value)} ${operator} ${shown(bound)}`,
    };
  });
  return {
    gate: text,
    passed: results.every(({ passed }) => passed),
    details: results.map(({ passed, detail }) => `${passed ? 'holds' : 'FAILS'}: ${detail}`),
  };
}

export function parseGate(text: string): Gate {
  const match = GATE.exec(text);
  if (!match) {
    throw refusal(
      text,
      `a gate reads like "asr(SafeInfer) < asr(base)" or "asr(SafeInfer).high < 10%"`,
    );
  }
  const [, a, aSelector, aPath, operator, b, bSelector, bPath, number, unit] = match;
  const left = termOf(text, a!, aSelector, aPath);
  if (b !== undefined)
    return { left, operator: operator!, right: termOf(text, b, bSelector, bPath) };
  const bound = Number(number);
  if (!Number.isFinite(bound)) throw refusal(text, `"${number}" is no number`);
  return { left, operator: operator!, right: unit === '%' ? bound / 100 : bound };
}

function termOf(
  gate: string,
  measure: string,
  selector: string | undefined,
  path: string | undefined,
): Term {
  if (!NAMES.includes(measure as Measure)) {
    throw refusal(gate, `no measure "${measure}"; use one of: ${NAMES.join(', ')}`);
  }
  return {
    text: `${measure}${selector === undefined ? '' : `(${selector})`}${path ?? ''}`,
    measure: measure as Measure,
    selector: (selector ?? '').split(',').flatMap((label) => label.trim() || []),
    path: (path ?? '').split('.').flatMap((part) => (part === '' ? [] : [ALIASES[part] ?? part])),
  };
}

function rowsOf(term: Term, rows: readonly GateRow[], gate: string): readonly GateRow[] {
  const matching = rows.filter(({ labels }) =>
    term.selector.every((label) => Object.values(labels).includes(label)),
  );
  if (matching.length > 0) return matching;
  const known = [...new Set(rows.flatMap(({ labels }) => Object.values(labels)))];
  throw refusal(gate, `${term.text} names no row; labels are: ${known.join(', ')}`);
}

/** The row of the right side that belongs to this one: alike in everything that its selector leaves open. */
function partner(term: Term, row: GateRow, rows: readonly GateRow[], gate: string): GateRow {
  let candidates = rowsOf(term, rows, gate);
  for (const key of ['edit', 'style', 'run', 'arm'] as const) {
    const alike = candidates.filter(({ labels }) => labels[key] === row.labels[key]);
    if (alike.length > 0) candidates = alike;
  }
  const [found] = candidates;
  if (candidates.length === 1 && found) return found;
  throw refusal(gate, `${term.text} names ${candidates.length} rows beside ${nameOf(row)}`);
}

function measured(term: Term, row: GateRow, gate: string): number {
  const [field = 'value', ...rest] = term.path;
  let found: unknown;
  if (term.measure === 'unscored') {
    found = field === 'value' ? row.rates.unscored / row.answers : undefined;
  } else if (field === 'delta') {
    const delta = row.deltas.find(({ measure }) => measure === term.measure);
    const [part = 'value'] = rest;
    found =
      delta === undefined
        ? undefined
        : { ...delta.difference, p: delta.p, holmP: delta.holmP ?? delta.p }[
            part as 'value' | 'low' | 'high' | 'p' | 'holmP'
          ];
  } else if (rest.length === 0) {
    const rate = row.rates[term.measure];
    found = rate?.[field as 'value' | 'low' | 'high'];
  }
  if (typeof found === 'number') return found;
  throw refusal(
    gate,
    `${term.text} was not measured for ${nameOf(row)}; fields are value, low (lower95), high (upper95), and delta.value, delta.low, delta.high, delta.p, delta.holmP against the baseline`,
  );
}

function nameOf({ labels }: GateRow): string {
  return [labels.run, labels.edit, labels.style, labels.arm].filter(Boolean).join(' · ');
}

function shown(value: number): string {
  return Number(value.toFixed(4)).toString();
}

function refusal(gate: string, message: string): ConfigError {
  return new ConfigError(`--gate "${gate}"`, [{ path: '', message }]);
}
