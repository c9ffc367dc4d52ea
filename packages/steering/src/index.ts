// Public API of @safeinfer/steering.
export type { SteeringProgress } from './progress.ts';
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
export {
  type EffectMetric,
  type EffectPrompt,
  type HeadEffect,
  type IndirectEffects,
  indirectEffects,
} from './safety-amplification/indirect-effect.ts';
export {
  amplify,
  type SafetyAmplification,
  type SafetyAmplificationOptions,
  safetyAmplification,
} from './safety-amplification/safety-amplification.ts';
