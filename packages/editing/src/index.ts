// Public API of @safeinfer/editing.
export {
  ALARM_LIMITS,
  type AlarmKind,
  type EditAlarm,
  type EditMeasures,
  editAlarms,
} from './alarms/edit-alarms.ts';
export { type AlphaEditOptions, type AlphaEditResult, alphaEdit } from './batch/alpha-edit.ts';
export {
  BATCH_DEFAULTS,
  type BatchEdit,
  type BatchEditOptions,
  type BatchProgress,
} from './batch/batch-options.ts';
export { type EmmetOptions, emmet } from './batch/emmet.ts';
export { type MemitOptions, memit } from './batch/memit.ts';
export { type PmetOptions, pmet } from './batch/pmet.ts';
export {
  asCounterFact,
  type CaseLayout,
  type EditCase,
  rewritePrompt,
  type TargetPrompt,
} from './cases/edit-case.ts';
export { parseCases, type ReadCasesOptions, readCases } from './cases/read-cases.ts';
export { type ContextTemplateOptions, contextTemplates } from './context/context-templates.ts';
export { randomChange } from './control/random-change.ts';
export { randomRankOne } from './control/random-rank-one.ts';
export type {
  DenseDelta,
  LowRankDelta,
  RankOneDelta,
  WeightDelta,
} from './delta/weight-delta.ts';
export { type CollapseGauges, collapseGauges, wordEntropy } from './evaluate/collapse.ts';
export {
  type CaseScores,
  type CounterFactCase,
  type CounterFactSummary,
  type NeighborhoodPrompt,
  type PromptScore,
  scoreCounterFact,
  summariseCounterFact,
} from './evaluate/counterfact.ts';
export {
  fitTfIdf,
  fluencyEntropy,
  ngramEntropy,
  type TfIdf,
  tfIdfCosine,
} from './evaluate/fluency.ts';
export {
  type LocalityBaseline,
  localityBaseline,
  type Protocol,
  type ProtocolScores,
  type ProtocolSummary,
  scoreEasyEdit,
  scoreZsre,
  summariseProtocol,
} from './evaluate/protocols.ts';
export {
  type PerplexityOptions,
  perplexities,
  type ScoreOptions,
  scoreTargets,
  type TargetItem,
  type TargetScore,
} from './evaluate/score-targets.ts';
export {
  localityAccuracy,
  predictedTokens,
  type TokenAccuracyItem,
  tokenAccuracy,
} from './evaluate/token-accuracy.ts';
export { treebankTokens } from './evaluate/treebank-tokens.ts';
export { type FineTuneEdit, type FineTuneOptions, fineTune } from './fine-tune/fine-tune.ts';
export {
  ALPHA_EDIT_PRESETS,
  type AlphaEditPreset,
  type BatchPreset,
  EMMET_PRESETS,
  type EmmetPreset,
  FINE_TUNE_PRESETS,
  type FineTunePreset,
  MEMIT_PRESETS,
  type MemitPreset,
  PMET_PRESETS,
  type PmetPreset,
  ROME_PRESETS,
  type RomePreset,
} from './presets/presets.ts';
export { checkRequest, type EditRequest, type FactToken } from './request/edit-request.ts';
export { encodeTarget, type LocatedPrompt, locatePrompt } from './request/lookup-index.ts';
export { checkLayer, type PreparedEdit, prepareEdit } from './request/prepare-edit.ts';
export { type TokenLine, tokenTable } from './request/token-table.ts';
export {
  type KeyChoice,
  ROME_DEFAULTS,
  type RomeEdit,
  type RomeOptions,
  rome,
} from './rome/rome.ts';
export {
  type CollectMomentsOptions,
  collectMoments,
  type MomentProgress,
} from './second-moment/collect-moments.ts';
export { readMoments, writeMoments } from './second-moment/moment-file.ts';
export { type NullSpace, nullSpace } from './second-moment/null-space.ts';
export { readMomentNpz } from './second-moment/read-moment-npz.ts';
export {
  type IdentityMoment,
  identityMoment,
  type MeasuredMoment,
  type MomentSolver,
  type SecondMoment,
  solveMoment,
} from './second-moment/second-moment.ts';
export type { EditMethod } from './session/edit-method.ts';
export type { EditRecord } from './session/edit-record.ts';
export { type EditOptions, EditSession, type EditSessionOptions } from './session/edit-session.ts';
export type { StoredEdit } from './session/session-file.ts';
export {
  type AverageEffects,
  averageEffects,
  suggestLayer,
  TOKEN_ROLES,
} from './trace/average-effects.ts';
export {
  type CausalTrace,
  type CausalTraceOptions,
  causalTrace,
  embeddingNoise,
  type TraceKind,
  traceWindow,
} from './trace/causal-trace.ts';
export { RandomState } from './trace/random-state.ts';
export {
  averageEffectsPlot,
  effectLinesPlot,
  severedPlot,
  tracePlot,
} from './trace/trace-plots.ts';
export {
  type OptimisedValue,
  optimiseValue,
  VALUE_DEFAULTS,
  type ValueOptions,
} from './value/optimise-value.ts';
