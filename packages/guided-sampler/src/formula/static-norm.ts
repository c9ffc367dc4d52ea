// The norm of a formula where it is known before anything runs: a number, or 'varies' when it differs per token.
import type { Expr } from './expr.ts';

/** Norm of the node as language-model-arithmetic defines it (operators.py: norm). */
export function staticNorm(expr: Expr): number | 'varies' {
  switch (expr.kind) {
    case 'term':
    case 'penalise':
    case 'mix':
    case 'temper':
      return 1;
    case 'constant':
      return expr.value;
    case 'sum': {
      if (expr.norm === 'none') return 1;
      let total = 0;
      for (const part of expr.parts) {
        const norm = staticNorm(part.of);
        if (norm === 'varies') return 'varies';
        total += part.weight * norm;
      }
      return total;
    }
    case 'product': {
      const [a, b] = [staticNorm(expr.of[0]), staticNorm(expr.of[1])];
      return a === 'varies' || b === 'varies' ? 'varies' : a * b;
    }
    case 'union':
    case 'intersect': {
      const norms = expr.of.map(staticNorm);
      const first = norms[0];
      return first !== undefined && norms.every((n) => n === first) ? first : 'varies';
    }
    case 'indicator':
      return 'varies';
    case 'within':
      return staticNorm(expr.of);
    case 'steps': {
      const [early, late] = [staticNorm(expr.early), staticNorm(expr.late)];
      return early === late ? early : 'varies';
    }
  }
}
