// Public API of @safeinfer/harmeval.
export type { AdaptiveConcurrency } from './adaptive-concurrency.ts';
export { bundledCategories, bundledHarmful, bundledHarmless } from './bundled/bundled-specs.ts';
export { loadBundledHarmful, loadBundledHarmless } from './bundled/load-bundled.ts';
export {
  type Agreement,
  agreement,
  type Confusion,
  cohenKappa,
  type LabelledPair,
  qualityOf,
} from './calibration/agreement.ts';
export { type Calibration, calibrateRefusalJudge } from './calibration/calibrate.ts';
export { type CorrectedRate, type JudgeQuality, roganGladen } from './calibration/rogan-gladen.ts';
export {
  isHumanRefusal,
  type LabelledResponse,
  type RefusalClass,
  refusalPairs,
  xsTestCompletions,
  xsTestLabels,
} from './calibration/xstest-labels.ts';
export { canonicalJson, contentHash, deriveSeed } from './canonical-hash.ts';
export {
  type ContentCache,
  generationKey,
  memoryCache,
  verdictKey,
  withGenerationCache,
  withVerdictCache,
} from './content-cache.ts';
export { type Dataset, loadDataset, withItems } from './datasets/dataset.ts';
export {
  type DatasetOrigin,
  type DatasetSource,
  type DatasetSpec,
  type Edition,
  type Licence,
  type SourceFile,
  type SplitRule,
  testOnly,
} from './datasets/dataset-spec.ts';
export { datasetSpecs } from './datasets/dataset-specs.ts';
export {
  type DownloadOptions,
  downloadDataset,
  downloadDatasetFiles,
} from './datasets/download-dataset.ts';
export { type Item, type ItemLabel, itemId, type RawItem } from './datasets/item.ts';
export { loadDatasetFromFile, readDatasetFiles } from './datasets/load-dataset-file.ts';
export { type LocalSetOptions, localSpec } from './datasets/local-spec.ts';
export { concernsSexualContentWithMinors } from './datasets/minors-filter.ts';
export { clusterNearDuplicates } from './datasets/near-duplicates.ts';
export type { DatasetFiles, LoadReport, ReadSourceOptions } from './datasets/read-source.ts';
export { cellText, type SourceFormat, type SourceRow } from './datasets/row.ts';
export { type SampleOptions, sampleDataset } from './datasets/sample.ts';
export { type SplitPart, selectPart, splitPart } from './datasets/split.ts';
export type { TableColumns } from './datasets/table-item.ts';
export { type EndpointOptions, endpointGenerate } from './endpoint-generate.ts';
export {
  type ChatMessage,
  defineGenerate,
  type FinishReason,
  type Generate,
  type GenerateFacts,
  type GenerateOptions,
  type GenerateRequest,
  type GenerateResult,
  type Prompt,
  type Sampling,
  type Usage,
} from './generate.ts';
export { type FailureClass, GenerateFailure } from './generate-failure.ts';
export { type FaultLocation, HarmEvalError, type HarmEvalErrorCode } from './harm-eval-error.ts';
export {
  type ClassifierJudgeOptions,
  type Classify,
  classifierJudge,
  strongRejectExpectation,
} from './judges/classifier-judge.ts';
export type { Judge, JudgeRequest } from './judges/judge.ts';
export {
  type JudgeTemplate,
  judgeMessages,
  type PromptJudgeSpec,
  promptJudge,
  withTemplate,
} from './judges/prompt-judge.ts';
export {
  guardJudge,
  harmBenchJudge,
  jailbreakBenchJudge,
  jailbreakBenchRefusalJudge,
  orBenchJudge,
  promptJudgeSpecs,
  safeInferCodeJudge,
  safeInferPaperJudge,
  sorryBenchJudge,
  strongRejectJudge,
  xsTestJudge,
} from './judges/prompt-judge-specs.ts';
export { matchesRefusal, refusalJudge } from './judges/refusal-judge.ts';
export { type RefusalList, refusalLists } from './judges/refusal-lists.ts';
export {
  attackSucceeded,
  isRefusal,
  type JudgeIdentity,
  type Judgement,
  type Verdict,
  type VerdictLabel,
  type VerdictStatus,
} from './judges/verdict.ts';
export { defaultRetryPolicy, type RetryPolicy } from './retry-policy.ts';
export type { Attacker, AttackState } from './runner/attacker.ts';
export { type EvaluateOptions, evaluate } from './runner/evaluate.ts';
export { type Measure, type Outcome, outcomesOf } from './runner/outcome.ts';
export { type Rate, rateOf } from './runner/rate.ts';
export type {
  DoneRecord,
  EvalRecord,
  PlanRecord,
  TrialRecord,
  TrialResponse,
} from './runner/records.ts';
export {
  type CategoryRate,
  collectSummary,
  type JudgeSpread,
  type JudgeSummary,
  judgeSpread,
  type Summary,
  type SummaryCollector,
  summariseOutcomes,
} from './runner/summary.ts';
export type { TextQuality } from './runner/text-quality.ts';
export {
  type BootstrapOptions,
  type MacroEstimate,
  macroAverage,
  pairedBootstrap,
} from './statistics/bootstrap.ts';
export { type ClusterEstimate, clusterRobustMean } from './statistics/cluster-robust.ts';
export {
  type ArmComparison,
  type ArmOutcome,
  adjustFamily,
  compareArms,
  withinJudgeError,
} from './statistics/compare-arms.ts';
export {
  detectableDifference,
  detectablePairedDifference,
  type PowerOptions,
} from './statistics/detectable-effect.ts';
export { holm } from './statistics/holm.ts';
export type { Estimate, Interval } from './statistics/interval.ts';
export { exactMcNemar, type McNemarResult } from './statistics/mcnemar.ts';
export {
  newcombe,
  newcombePaired,
  type PairedCounts,
  type Proportion,
} from './statistics/newcombe.ts';
export { oneSidedBound, wilson } from './statistics/wilson.ts';
export { escalation, insistence, multiTurnStyle, type TurnScript } from './styles/multi-turn.ts';
export {
  instructionCentricCodeStyle,
  instructionCentricCotStyle,
  instructionCentricStyle,
  paperStyles,
  plainStyle,
  simpleStyle,
} from './styles/paper-styles.ts';
export {
  asRawText,
  type PromptStyle,
  questionStyle,
  type RenderedPrompt,
  type StyleContext,
  withSystemPrompt,
} from './styles/prompt-style.ts';
export { type SystemPrompt, systemPrompts } from './styles/system-prompts.ts';
export {
  type Demonstrations,
  type Transform,
  withDemonstrations,
  withTransforms,
} from './styles/transform.ts';
export { placeholderShots, refusalShots, transforms, turnScripts } from './styles/transforms.ts';
export { arcChallenge, arcEasy, arcPrompt } from './utility/arc.ts';
export { selfInstructSeed, selfInstructUser } from './utility/benign-instructions.ts';
export {
  flexibleAnswer,
  gsm8kPrompt,
  gsm8kTest,
  gsm8kTrain,
  type MathItem,
  strictAnswer,
} from './utility/gsm8k.ts';
export { downloadUtility, loadUtilityFromFile, type UtilitySet } from './utility/load-utility.ts';
export type {
  LogLikelihood,
  LogLikelihoodRequest,
  LogLikelihoodResult,
  TokenLogLikelihood,
  TokenLogLikelihoodRequest,
} from './utility/log-likelihood.ts';
export { mmluHub, mmluPrompt, mmluSubject } from './utility/mmlu.ts';
export {
  type ChoiceItem,
  type ChoicePrompt,
  type ChoiceResult,
  type ChoiceScore,
  type ScoreChoicesOptions,
  scoreChoices,
} from './utility/multiple-choice.ts';
export {
  type DocumentItem,
  linesSource,
  mePpl,
  type Perplexity,
  scorePerplexity,
} from './utility/perplexity.ts';
export {
  type RollingWindow,
  rollingWindows,
  scoreRollingPerplexity,
} from './utility/rolling-perplexity.ts';
export { type MathScore, scoreGsm8k } from './utility/score-gsm8k.ts';
export {
  scoreTruthfulQa,
  type TruthfulQaItem,
  type TruthfulQaScore,
  type TruthTargets,
  truthfulQa,
  truthfulQaPrefix,
} from './utility/truthful-qa.ts';
