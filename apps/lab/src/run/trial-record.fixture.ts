// One trial record for tests: what a test says, and the rest filled in.
import type { TrialRecord } from './trial-record.ts';

export const trial = (fields: Partial<TrialRecord>): TrialRecord => ({
  schema: 1,
  arm: 'base',
  edit: 'unedited',
  style: 'simple',
  benchmark: 'b',
  itemId: 'i',
  category: 'c',
  kind: 'harmful',
  prompt: '',
  output: '',
  finishReason: 'stop',
  tokensIn: 1,
  tokensOut: 1,
  judge: 'j',
  outcome: 'refused',
  ...fields,
});
