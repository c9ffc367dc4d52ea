// Public API of @safeinfer/viewer: the schema of the files that it shows, and the queries over them.
export { cellsOf, rowsOf } from './query/cells.ts';
export {
  DISAGREEMENT_REASONS,
  type DisagreementReason,
  disagreementQueue,
  type QueuedTrial,
} from './query/disagreements.ts';
export { type ItemQuery, itemQueryFrom } from './query/item-query.ts';
export { findItem, itemRow } from './query/item-row.ts';
export { packIndex } from './query/packed-index.ts';
export { createIndexBuilder, type IndexBuilder, type RunIndex } from './query/run-index.ts';
export { selectItems } from './query/select-items.ts';
export type {
  ItemDetail,
  ItemPage,
  QueueEntry,
  QueuePage,
  RunDetail,
  RunSummary,
  TokenDetail,
  TrialView,
} from './schema/api.ts';
export { type CausalTrace, causalTraceSchema } from './schema/causal-trace.ts';
export {
  DATA_CALLBACK,
  type ExportedItem,
  type ExportedRun,
  type ExportedSite,
  type ExportedTrial,
  type MaskableText,
  STATIC_SOURCE,
  visibleText,
} from './schema/export.ts';
export { type HeadMap, headMapSchema } from './schema/head-map.ts';
export {
  labelLineSchema,
  labelRequestSchema,
  type TrialKey,
  trialKeySchema,
  trialKeyText,
} from './schema/label.ts';
export { type Label, OUTCOMES } from './schema/outcome.ts';
export { type Progress, progressSchema } from './schema/progress.ts';
export { reportSchema } from './schema/report-rows.ts';
export {
  type TokenTrace,
  type TrialHead,
  type TrialRecord,
  trialHeadSchema,
  trialRecordSchema,
} from './schema/trial-record.ts';
