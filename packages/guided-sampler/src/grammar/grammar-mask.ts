// Token masks from a JSON schema or an EBNF grammar, through XGrammar.

import type { CompiledGrammar, GrammarCompiler, GrammarMatcher } from '@mlc-ai/web-xgrammar';
import { SafeInferError } from '@safeinfer/backend';
import { checkSchema, type JsonSchema } from './check-schema.ts';
import { type Engine, xgrammar } from './load-xgrammar.ts';
import type { GrammarState, TokenMask } from './token-mask.ts';

/** What a grammar needs to know of the tokenizer; that of @safeinfer/transformer has it. */
export interface GrammarTokenizer {
  /** The vocabulary entry of an id as tokenizer.json spells it. */
  vocabEntry(id: number): string | undefined;
  readonly allSpecialIds: ReadonlySet<number>;
}

export interface GrammarVocabulary {
  readonly tokenizer: GrammarTokenizer;
  /** Length of the logits (the plan's `vocabSize`). */
  readonly vocabSize: number;
  /** Tokens that end the text. Empty: the text ends when the grammar is complete. */
  readonly stopTokens: readonly number[];
}

/** How vocabulary entries spell bytes, judged by marks that only one of the kinds has. */
function spelling(entries: readonly string[]): 'byte_level' | 'byte_fallback' | 'raw' {
  if (entries.includes('<0x0A>')) return 'byte_fallback';
  // GPT-2's alphabet writes a space as U+0120 and a line feed as U+010A.
  if (entries.some((e) => e.startsWith('\u0120') || e === '\u010a')) return 'byte_level';
  return entries.some((e) => e.startsWith('\u2581')) ? 'byte_fallback' : 'raw';
}

class MatcherState implements GrammarState {
  readonly #matcher: GrammarMatcher;
  #disposed = false;

  constructor(matcher: GrammarMatcher) {
    this.#matcher = matcher;
  }

  get finished(): boolean {
    return !this.#disposed && this.#matcher.isTerminated();
  }

  async allowed(): Promise<Int32Array | undefined> {
    return this.#matcher.getNextTokenBitmask();
  }

  accept(token: number): boolean {
    return this.#matcher.acceptToken(token);
  }

  rollback(tokens: number): void {
    this.#matcher.rollBack(tokens);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#matcher.dispose();
  }
}

async function makeMask(
  vocabulary: GrammarVocabulary,
  what: string,
  compileWith: (compiler: GrammarCompiler) => Promise<CompiledGrammar>,
): Promise<TokenMask> {
  const { tokenizer, vocabSize, stopTokens } = vocabulary;
  const engine: Engine = await xgrammar();
  const entries = Array.from({ length: vocabSize }, (_, id) => {
    // The engine takes an empty entry for a token without text: it is never allowed.
    if (tokenizer.allSpecialIds.has(id) && !stopTokens.includes(id)) return '';
    return tokenizer.vocabEntry(id) ?? '';
  });
  const info = await engine.TokenizerInfo.createTokenizerInfo(
    entries,
    spelling(entries),
    false,
    vocabSize,
    [...stopTokens],
  );
  const compiler = await engine.GrammarCompiler.createGrammarCompiler(info);
  let compiled: CompiledGrammar;
  try {
    compiled = await compileWith(compiler);
  } catch (cause) {
    throw new SafeInferError(`the grammar engine refused the ${what}`, {
      code: 'BAD_ARGUMENT',
      hint: 'the engine printed the reason on standard error: an unknown keyword, a syntax error, or no solution',
      cause,
    });
  }
  const terminates = stopTokens.length === 0;
  return {
    start: async () =>
      new MatcherState(
        await engine.GrammarMatcher.createGrammarMatcher(compiled, undefined, terminates),
      ),
  };
}

/**
 * Only JSON texts of this schema. `whitespace`: any white space between elements (default: none, which is shorter).
 * @throws BAD_ARGUMENT for schemas without a solution, UNSUPPORTED for keywords that would be ignored.
 */
export async function jsonSchemaMask(
  options: GrammarVocabulary & { readonly schema: JsonSchema; readonly whitespace?: boolean },
): Promise<TokenMask> {
  checkSchema(options.schema);
  const text = JSON.stringify(options.schema);
  const any = options.whitespace === true;
  return makeMask(options, 'schema', (compiler) =>
    any
      ? compiler.compileJSONSchema(text, true)
      : compiler.compileJSONSchema(text, false, -1, [',', ':'], true),
  );
}

/** Any JSON value. */
export async function jsonMask(options: GrammarVocabulary): Promise<TokenMask> {
  return makeMask(options, 'grammar', (compiler) => compiler.compileBuiltinJSONGrammar());
}

/**
 * Only texts of an EBNF grammar (GBNF-like: `root ::= "yes" | "no"`).
 * @throws BAD_ARGUMENT on a syntax error.
 */
export async function grammarMask(
  options: GrammarVocabulary & { readonly ebnf: string; readonly root?: string },
): Promise<TokenMask> {
  return makeMask(options, 'grammar', (compiler) =>
    compiler.compileGrammar(options.ebnf, options.root ?? 'root'),
  );
}
