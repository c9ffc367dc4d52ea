// Public API of @safeinfer/lab.
export { type Experiment, experimentFileSchema } from './config/experiment-schema.ts';
export { loadExperiment, parseExperiment } from './config/load-experiment.ts';
export { ConfigError, type ConfigProblem } from './errors/config-error.ts';
export type { Outcome, TokenTrace, TrialRecord } from './run/trial-record.ts';
