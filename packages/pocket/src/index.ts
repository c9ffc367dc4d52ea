// Public API of @safeinfer/pocket.
export type {
  AdapterPair,
  AttackItem,
  BorderlineItem,
  ChatMessage,
  DemonstrationItem,
  FactQuestionItem,
  HarmfulItem,
  HowToItem,
  PocketData,
  PocketFact,
  PocketSplit,
  PocketStyle,
  SystemPromptItem,
} from './items.ts';
export {
  type LoadPocketOptions,
  loadPocket,
  type Pocket,
  type PocketAdapter,
} from './load-pocket.ts';
export {
  loadPocketSplit,
  parsePocketRows,
  pocketDemonstrations,
  pocketFacts,
} from './load-pocket-split.ts';
export { type PocketPaths, pocketPaths } from './pocket-paths.ts';
