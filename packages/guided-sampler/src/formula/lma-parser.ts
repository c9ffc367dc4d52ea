// Reads formulas in the notation of language-model-arithmetic: "sa - 0.99*union(unsafe, sa)".
import { SafeInferError } from '@safeinfer/backend';
import {
  constant,
  type Expr,
  indicator,
  intersect,
  type Part,
  product,
  sum,
  union,
} from './expr.ts';

type Token =
  | { readonly kind: 'number'; readonly value: number; readonly at: number }
  | { readonly kind: 'name'; readonly value: string; readonly at: number }
  | { readonly kind: 'mark'; readonly value: string; readonly at: number };

/** Function names of the reference library, lower case. */
const FUNCTIONS: Readonly<Record<string, (args: readonly Expr[]) => Expr>> = {
  union: (args) => union(...args),
  max: (args) => union(...args),
  intersection: (args) => intersect(...args),
  min: (args) => intersect(...args),
};

function fail(source: string, at: number, message: string): never {
  throw new SafeInferError(`formula: ${message} at position ${at} of "${source}"`, {
    code: 'BAD_ARGUMENT',
    hint: 'a formula has terms, numbers, + - * /, comparisons and union(), intersection(), max(), min(), indicator()',
  });
}

function tokenise(source: string): readonly Token[] {
  const tokens: Token[] = [];
  const pattern =
    /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(.))/gsu;
  for (const match of source.trimEnd().matchAll(pattern)) {
    const at = match.index + match[0].length - (match[1] ?? match[2] ?? match[3] ?? '').length;
    if (match[1] !== undefined) tokens.push({ kind: 'number', value: Number(match[1]), at });
    else if (match[2] !== undefined) tokens.push({ kind: 'name', value: match[2], at });
    else tokens.push({ kind: 'mark', value: match[3] ?? '', at });
  }
  return tokens;
}

/** -x as a sum of one part, so that signs collect in one place. */
function negate(expr: Expr): Expr {
  return expr.kind === 'constant' ? constant(-expr.value) : sum({ weight: -1, of: expr });
}

function multiply(a: Expr, b: Expr): Expr {
  if (a.kind === 'constant' && b.kind === 'constant') return constant(a.value * b.value);
  if (a.kind === 'constant') return sum({ weight: a.value, of: b });
  if (b.kind === 'constant') return sum({ weight: b.value, of: a });
  return product(a, b);
}

/** Parts of an LMA sum, so that a + b - c is one node; anything else is one part of weight 1. */
function partsOf(expr: Expr, sign: number): readonly Part[] {
  if (expr.kind === 'sum' && expr.norm === 'lma') {
    return expr.parts.map((part) => ({ weight: sign * part.weight, of: part.of }));
  }
  return [{ weight: sign, of: expr }];
}

/**
 * Parses the reference notation. Names are looked up in `terms`; function names may be capitalised as in Python.
 * `a > b` is the indicator of `a - b`, as in the reference library.
 * @throws BAD_ARGUMENT with the position on a syntax error or an unknown name.
 */
export function lma(source: string, terms: Readonly<Record<string, Expr>>): Expr {
  const tokens = tokenise(source);
  let next = 0;
  const end = source.length;
  const peek = (): string | undefined => {
    const token = tokens[next];
    return token?.kind === 'mark' ? token.value : undefined;
  };
  const expect = (mark: string): void => {
    if (peek() !== mark) fail(source, tokens[next]?.at ?? end, `expected "${mark}"`);
    next++;
  };

  function primary(): Expr {
    const token = tokens[next];
    if (token === undefined) fail(source, end, 'unexpected end');
    next++;
    if (token.kind === 'number') return constant(token.value);
    if (token.kind === 'mark') {
      if (token.value === '-') return negate(primary());
      if (token.value === '+') return primary();
      if (token.value !== '(') fail(source, token.at, `unexpected "${token.value}"`);
      const inner = comparison();
      expect(')');
      return inner;
    }
    if (peek() === '(') return call(token.value, token.at);
    const found = Object.hasOwn(terms, token.value) ? terms[token.value] : undefined;
    if (found === undefined) {
      fail(
        source,
        token.at,
        `unknown term "${token.value}" (known: ${Object.keys(terms).join(', ')})`,
      );
    }
    return found;
  }

  function call(name: string, at: number): Expr {
    expect('(');
    const args = [comparison()];
    while (peek() === ',') {
      next++;
      args.push(comparison());
    }
    expect(')');
    if (name.toLowerCase() === 'indicator') {
      if (args.length !== 1) fail(source, at, 'indicator takes one argument');
      return indicator(args[0] as Expr);
    }
    const make = FUNCTIONS[name.toLowerCase()];
    if (make === undefined) fail(source, at, `unknown function "${name}"`);
    if (args.length < 2) fail(source, at, `${name} takes at least two arguments`);
    return make(args);
  }

  function factors(): Expr {
    let left = primary();
    for (let mark = peek(); mark === '*' || mark === '/'; mark = peek()) {
      const at = tokens[next]?.at ?? end;
      next++;
      const right = primary();
      if (mark === '*') left = multiply(left, right);
      else if (right.kind === 'constant' && right.value !== 0) {
        left = multiply(constant(1 / right.value), left);
      } else fail(source, at, 'division is by a number other than 0');
    }
    return left;
  }

  function additive(): Expr {
    const first = factors();
    if (peek() !== '+' && peek() !== '-') return first;
    const parts: Part[] = [...partsOf(first, 1)];
    for (let mark = peek(); mark === '+' || mark === '-'; mark = peek()) {
      next++;
      parts.push(...partsOf(factors(), mark === '+' ? 1 : -1));
    }
    return sum(...parts);
  }

  function comparison(): Expr {
    const left = additive();
    const mark = peek();
    if (mark !== '>' && mark !== '<') return left;
    next++;
    const right = additive();
    const [high, low] = mark === '>' ? [left, right] : [right, left];
    return indicator(sum({ weight: 1, of: high }, { weight: -1, of: low }));
  }

  const expr = comparison();
  const rest = tokens[next];
  if (rest !== undefined) fail(source, rest.at, `unexpected "${rest.value}"`);
  return expr;
}
