// A checked, compiled formula with the models that run it.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { type CompiledFormula, compileFormula } from '../formula/compile-formula.ts';
import type { Expr } from '../formula/expr.ts';
import { termNodes } from '../formula/walk.ts';
import { explainPlan } from './explain.ts';
import { type SkipRule, skipRuleOf } from './skip-rule.ts';
import type { TermSpec } from './term-spec.ts';

export interface PlanTerm {
  readonly id: string;
  readonly spec: TermSpec;
}

/** What will run. Holds no tensors and no state: one plan serves many generations. */
export interface Plan {
  readonly formula: CompiledFormula;
  readonly terms: readonly PlanTerm[];
  /** Skip rule of each phase of the formula, undefined where none follows. */
  readonly skipRules: readonly (SkipRule | undefined)[];
  /** Length of the score vectors: the smallest vocabulary among the terms. */
  readonly vocabSize: number;
  /** Model of the first term: its tokenizer turns ids into text, its end-of-text tokens stop a row. */
  readonly model: Transformer;
  /** The plan in words. */
  explain(): string;
}

function refuse(message: string, hint: string): never {
  throw new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
}

/** Text that different tokenizers cut differently: capitals, digits, accents, spaces, symbols. */
const PROBE = 'The year 2024: naïve re-encoding, tokens & 12345 spaces.\n\tDone!';

function checkModels(terms: readonly PlanTerm[]): number {
  const first = terms[0] as PlanTerm;
  let vocabSize = first.spec.model.config.vocabSize;
  for (const { id, spec } of terms) {
    const names = spec.adapter === undefined ? [] : [spec.adapter].flat();
    for (const name of names) {
      if (spec.model.adapters.has(name)) continue;
      const known = [...spec.model.adapters.keys()].join(', ') || 'none';
      refuse(
        `term "${id}" names adapter "${name}", loaded are: ${known}`,
        'call model.addAdapter(name, adapter) first',
      );
    }
    if (spec.model === first.spec.model) continue;
    const [a, b] = [first.spec.model.tokenizer, spec.model.tokenizer];
    const size = spec.model.config.vocabSize;
    if (a !== undefined && b !== undefined) {
      if (a !== b && a.encode(PROBE).join() !== b.encode(PROBE).join()) {
        refuse(
          `terms "${first.id}" and "${id}" have different tokenizers`,
          'a formula combines distributions over the same tokens',
        );
      }
      // Checkpoints of one family pad their vocabularies differently; ids past the shorter one are padding.
      vocabSize = Math.min(vocabSize, size);
    } else if (size !== vocabSize) {
      refuse(
        `terms "${first.id}" and "${id}" have vocabularies of ${vocabSize} and ${size} tokens`,
        'a formula combines distributions over the same tokens',
      );
    }
  }
  return vocabSize;
}

/**
 * Checks a formula and the terms it runs, and compiles it.
 * @throws BAD_ARGUMENT for formulas that cannot be meant, terms without a model, different tokenizers, unknown adapters.
 */
export function compile(expr: Expr): Plan {
  const formula = compileFormula(expr);
  const nodes = termNodes(expr);
  const terms = formula.terms.map((id): PlanTerm => {
    const spec = nodes.find((node) => node.id === id)?.spec;
    if (spec === undefined)
      refuse(`term "${id}" has no model`, 'write term(id, { model, ... }) for formulas that run');
    return { id, spec };
  });
  const vocabSize = checkModels(terms);
  for (const phase of formula.phases) {
    const set = phase.expr.kind === 'within' ? phase.expr.set : undefined;
    if (set?.kind === 'tokens' && !set.ids.some((token) => token >= 0 && token < vocabSize)) {
      refuse('no allowed token is in the vocabulary', `token ids are 0 to ${vocabSize - 1}`);
    }
  }
  const parts = {
    formula,
    terms,
    skipRules: formula.phases.map(skipRuleOf),
    vocabSize,
    model: (terms[0] as PlanTerm).spec.model,
  };
  return { ...parts, explain: () => explainPlan(parts) };
}
