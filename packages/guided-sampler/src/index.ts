// Public API of @safeinfer/guided-sampler.

// --- Continuous batching ---
export {
  Scheduler,
  type SchedulerLoad,
  type SchedulerOptions,
  type SchedulerStep,
} from './batching/scheduler.ts';
export type { PromptScores, ScoreOptions } from './batching/score-run.ts';
// --- Formulas ---
export {
  type CandidateSet,
  common,
  nucleus,
  onlyTokens,
  plausible,
  topK,
} from './formula/candidate-set.ts';
export {
  type CompiledFormula,
  compileFormula,
  type FormulaPhase,
  TermScores,
  type TermScoresById,
} from './formula/compile-formula.ts';
export { contributions } from './formula/contributions.ts';
export { describe } from './formula/describe.ts';
export {
  combine,
  constant,
  type Expr,
  firstSteps,
  indicator,
  intersect,
  mixProbs,
  type Part,
  penalise,
  product,
  sum,
  temper,
  term,
  union,
  weighted,
  within,
} from './formula/expr.ts';
export { fromLambda, toLambda } from './formula/lambda.ts';
export { evaluateLiteral, logSoftmax } from './formula/literal.ts';
export { lma } from './formula/lma-parser.ts';
// --- Grammars ---
export type { JsonSchema } from './grammar/check-schema.ts';
export {
  type GrammarTokenizer,
  type GrammarVocabulary,
  grammarMask,
  jsonMask,
  jsonSchemaMask,
} from './grammar/grammar-mask.ts';
// --- Sampling ---
export type { GrammarState, TokenMask } from './grammar/token-mask.ts';
// --- Plans and runs ---
export { compile, type Plan, type PlanTerm } from './plan/plan.ts';
export type { ChatMessage, Prompt, PromptInput, PromptRule } from './plan/prompt.ts';
export type { SkipRule } from './plan/skip-rule.ts';
export type { TermSpec } from './plan/term-spec.ts';
// --- Recipes ---
export {
  classifierFree,
  contextAware,
  contrastiveDecoding,
  dexperts,
  plain,
  proxyTuning,
  rose,
  SAFETY_PROMPT,
  safeDecoding,
  safetyPrompt,
  selfCd,
} from './recipes/baselines.ts';
export {
  classifierFreeFormula,
  contextAwareFormula,
  contrastiveFormula,
  dexpertsFormula,
  proxyTuningFormula,
  roseFormula,
  safeDecodingFormula,
  safeInferFormula,
  selfCdFormula,
} from './recipes/formulas.ts';
export { type SafeInferOptions, safeInfer } from './recipes/safe-infer.ts';
export {
  type SafetyArithmeticOptions,
  safetyArithmetic,
  safetyArithmeticInterventions,
} from './recipes/safety-arithmetic.ts';
export type { Source } from './recipes/source.ts';
// --- Beam search ---
export { type BeamOptions, beamSearch, type Hypothesis } from './run/beam-search.ts';
export type {
  FinishEvent,
  FinishReason,
  StepEvent,
  TermContribution,
  TokenEvent,
  TokenLogprob,
  Usage,
} from './run/events.ts';
export { type Completion, type GenerateResult, generate, stream } from './run/generate.ts';
export type { GenerateOptions } from './run/generate-options.ts';
export type { RunStats, TermStats } from './run/run-stats.ts';
export { buildChain, type Chain } from './sampling/chain.ts';
export type { Processor, ProcessorContext, Scores } from './sampling/processor.ts';
export type { SamplingOptions } from './sampling/sampling-options.ts';

// --- Serving ---
export {
  asLanguageModel,
  type LanguageModelOptions,
  type LanguageModelV4Text,
} from './serve/ai-sdk.ts';
export type { Engine } from './serve/engine.ts';
export { type OpenAiHandlerOptions, openAiHandler, type Served } from './serve/openai-handler.ts';
export { errorBody } from './serve/openai-response.ts';
export type { ServedModel } from './serve/served-model.ts';
