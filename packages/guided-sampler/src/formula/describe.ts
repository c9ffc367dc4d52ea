// A formula as text, in the notation that the parser reads where the reference library has one.
import type { CandidateSet } from './candidate-set.ts';
import type { Expr } from './expr.ts';

function number(value: number): string {
  return String(Number(value.toPrecision(12)));
}

function describeSet(set: CandidateSet): string {
  switch (set.kind) {
    case 'plausible':
      return `p >= ${number(set.alpha)} * max of ${describe(set.of)}`;
    case 'nucleus':
      return `nucleus ${number(set.mass)} of ${describe(set.of)}`;
    case 'topK':
      return `top ${set.k} of ${describe(set.of)}`;
    case 'common':
      return `${set.atLeast} tokens common to the tops of ${describe(set.of[0])} and ${describe(set.of[1])}`;
    case 'tokens':
      return `${set.ids.length} given tokens`;
  }
}

/** One line of text. */
export function describe(expr: Expr): string {
  switch (expr.kind) {
    case 'term':
      return expr.id;
    case 'constant':
      return number(expr.value);
    case 'sum': {
      const text = expr.parts
        .map((part, index) => {
          const magnitude = Math.abs(part.weight);
          const sign = part.weight < 0 ? (index === 0 ? '-' : ' - ') : index === 0 ? '' : ' + ';
          const inner = part.of.kind === 'sum' ? `(${describe(part.of)})` : describe(part.of);
          return `${sign}${magnitude === 1 ? '' : `${number(magnitude)}*`}${inner}`;
        })
        .join('');
      return expr.norm === 'none' && expr.parts.length > 1 ? `[${text}]` : text;
    }
    case 'product':
      return `(${describe(expr.of[0])})*(${describe(expr.of[1])})`;
    case 'union':
    case 'intersect':
      return `${expr.kind === 'union' ? 'union' : 'intersection'}(${expr.of.map(describe).join(', ')})`;
    case 'indicator':
      return `indicator(${describe(expr.of)})`;
    case 'penalise':
      return `${describe(expr.base)} - ${number(expr.beta)}*relu(${describe(expr.by)} - ${describe(expr.base)})`;
    case 'within':
      return `${describe(expr.of)} within {${describeSet(expr.set)}}`;
    case 'mix':
      return `log(p(${describe(expr.base)}) + ${number(expr.alpha)}*(p(${describe(expr.toward)}) - p(${describe(expr.base)})))`;
    case 'temper':
      return `${describe(expr.of)} at temperature ${number(expr.temperature)}`;
    case 'steps':
      return `first ${expr.first} tokens: ${describe(expr.early)}; then: ${describe(expr.late)}`;
  }
}
