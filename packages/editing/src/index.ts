// Public API of @safeinfer/editing.
export { checkRequest, type EditRequest, type FactToken } from './request/edit-request.ts';
export { encodeTarget, type LocatedPrompt, locatePrompt } from './request/lookup-index.ts';
export type { RankOneDelta } from './rome/rank-one-delta.ts';
export {
  type KeyChoice,
  ROME_DEFAULTS,
  type RomeEdit,
  type RomeOptions,
  rome,
} from './rome/rome.ts';
export {
  type IdentityMoment,
  identityMoment,
  type MeasuredMoment,
  type SecondMoment,
  solveMoment,
} from './second-moment/second-moment.ts';
export { EditSession } from './session/edit-session.ts';
export { type OptimisedValue, optimiseValue, type ValueOptions } from './value/optimise-value.ts';
