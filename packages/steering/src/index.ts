// Public API of @safeinfer/steering.

// --- Plans: what is done to activations, as data ---
export { ablateEverywhere, bakePlan } from './bake/bake-plan.ts';
export {
  andConceptors,
  conceptor,
  notConceptor,
  orConceptors,
} from './extract/conceptor.ts';
export {
  type ContrastMethod,
  contrastVector,
  type DirectionSet,
} from './extract/contrast-vector.ts';
export {
  differenceInMeans,
  meanCentred,
  pcaDirection,
  unitDirection,
} from './extract/directions.ts';
// --- Extractors: from activations to directions, gates and conceptors ---
export {
  type FoundCondition,
  findCondition,
} from './extract/find-condition.ts';
export { type FunctionVector, functionVector } from './extract/function-vector.ts';
export { type Eraser, leace } from './extract/leace.ts';
export { fitProbe, type LinearProbe, probeAccuracy } from './extract/linear-probe.ts';
export { type CoordinateMap, linearTransport } from './extract/linear-transport.ts';
export { type NullSpaceGate, nullSpaceGate } from './extract/null-space-gate.ts';
export { type PersonaResponse, personaVector } from './extract/persona-vector.ts';
export {
  type ReadPosition,
  type ReadRow,
  type ReadSite,
  readActivations,
} from './extract/read-activations.ts';
export {
  type DirectionCandidate,
  type RefusalDirection,
  refusalDirection,
  refusalScore,
} from './extract/refusal-direction.ts';
export { type RankedHead, truthHeads } from './extract/truth-heads.ts';
// --- Files ---
export {
  type DirectionFormat,
  type LoadDirectionsOptions,
  loadDirections,
  saveDirections,
} from './files/direction-file.ts';
export { type GgufControlVector, parseGguf, writeGguf } from './files/gguf.ts';
export { type NumpyArray, parseNpy, parseNpz, writeNpy, writeNpz } from './files/npz.ts';
export { loadPlan, savePlan } from './files/plan-file.ts';
export { type Matrix, matrixOf } from './linear-algebra/matrix.ts';
export { checkPlan } from './plan/check-plan.ts';
export { type Condition, type ConditionRule, conditionScore } from './plan/condition.ts';
export { decideConditions } from './plan/decide-conditions.ts';
export { checkMadeOn, modelFingerprint, planHash } from './plan/fingerprint.ts';
export type {
  AblateOperation,
  AddOperation,
  AffineOperation,
  CapOperation,
  ConceptorOperation,
  GateOperation,
  ProjectOperation,
  RotateOperation,
  Schedule,
  SlerpOperation,
  SteeringOperation,
  SteeringPoint,
  SteeringPositions,
  TransportOperation,
} from './plan/operation.ts';
export { steerRows } from './plan/steer-rows.ts';
export {
  composePlans,
  mapOperations,
  type Recipe,
  type RowOverride,
  type SteeringPlan,
  scalePlan,
} from './plan/steering-plan.ts';
export { type PlannedRow, toInterventions } from './plan/to-interventions.ts';
// --- Safety amplification ---
export type { SteeringProgress } from './progress.ts';
export type { RefusalVerdict } from './report/arm-answers.ts';
// --- Pre-flight and report ---
export { doseResponseSvg, effectHistogramSvg, headHeatMapSvg } from './report/charts.ts';
export { type ContrastGeometry, contrastGeometry } from './report/contrast-geometry.ts';
export { flippedPlan, randomPlan } from './report/control-plans.ts';
export type { CapabilityItem, Damage } from './report/damage.ts';
export type { PairedTest } from './report/paired-tests.ts';
export { type Finding, preflight } from './report/preflight.ts';
export type { Provenance } from './report/provenance.ts';
export { startsLikeRefusal } from './report/refusal-prefix.ts';
export { reportMarkdown } from './report/report-markdown.ts';
export { dominantScript, languageChange } from './report/script-change.ts';
export { shuffleAnswersOfTwins, shuffleSides } from './report/shuffled-labels.ts';
export type { Interval } from './report/statistics.ts';
export {
  type ArmResult,
  type EffectItem,
  type ReportOptions,
  type SteeringReport,
  steeringReport,
} from './report/steering-report.ts';
export { type SweepChartPoint, sweepSvg } from './report/sweep-chart.ts';
export {
  type Demonstration,
  type PromptFormat,
  questionAnswerFormat,
} from './safety-amplification/demonstration.ts';
export {
  type HeadOutputs,
  headOutput,
  meanHeadOutputs,
} from './safety-amplification/head-outputs.ts';
export { distinctHeads, type HeadRef, headVector } from './safety-amplification/head-vector.ts';
export { headsPlan } from './safety-amplification/heads-plan.ts';
export {
  type EffectCheckpoint,
  type EffectCost,
  type EffectMetric,
  type EffectPrompt,
  type HeadEffect,
  type IndirectEffects,
  indirectEffects,
} from './safety-amplification/indirect-effect.ts';
export {
  PUBLISHED_HEADS,
  type SafetyPreset,
  type SafetySettings,
  safetyPreset,
} from './safety-amplification/presets.ts';
export {
  amplify,
  type SafetyAmplification,
  type SafetyAmplificationOptions,
  safetyAmplification,
} from './safety-amplification/safety-amplification.ts';
// --- Strength: units, calibration, sweeps ---
export { calibrateKl, type KlCalibration } from './strength/calibrate-kl.ts';
export { type Rollout, steeredRollouts } from './strength/steered-rollout.ts';
export { rawStrength, type StrengthUnit } from './strength/strength-units.ts';
export { type SweepCell, type SweepOutcome, type SweepSetting, sweep } from './strength/sweep.ts';
