// What decides an arm's answers besides the request: everything in here enters the key of every stored answer.

import type { EditRequest } from '@safeinfer/editing';
import { contentHash } from '@safeinfer/harmeval';
import type { ArmConfig, EditConfig } from '../config/experiment-schema.ts';
import type { ArmDemonstrations } from './demonstrations.ts';

export interface ArmIdentityParts {
  readonly modelSha256: string;
  readonly backend: string;
  readonly edit: EditConfig;
  readonly editRequests: readonly EditRequest[];
  readonly arm: ArmConfig;
  readonly demonstrations: ArmDemonstrations | undefined;
  /** Of a second checkpoint that serves as the unsafe twin. */
  readonly twinSha256: string | undefined;
  readonly seed: number;
  /** Versions of the code whose change may change numbers. */
  readonly version: string;
}

/** Names and labels are left out: renaming an arm reuses its answers, changing its strength never does. */
export function armIdentity(parts: ArmIdentityParts): string {
  const { edit, arm, ...rest } = parts;
  const { name: _edit, ...editConfig } = edit;
  const { name: _arm, ...armConfig } = arm;
  // The seed draws the demonstrations of a vector; without one it has no part in greedy decoding.
  const seed = arm.steer ? parts.seed : null;
  return contentHash({ ...rest, seed, edit: editConfig, arm: armConfig });
}
