// Everything that made an edit and what it did: kept in the session and saved with the deltas.
import type { WeightName } from '@safeinfer/transformer';
import type { EditAlarm, EditMeasures } from '../alarms/edit-alarms.ts';
import type { EditRequest } from '../request/edit-request.ts';

export interface EditRecord {
  readonly id: string;
  /** Empty when bare deltas were applied. */
  readonly requests: readonly EditRequest[];
  /** The method as JSON; large arrays as their hashes. */
  readonly method: unknown;
  /** Per request: where its bare prompt was looked up. */
  readonly tokens: readonly {
    readonly index: number;
    readonly id: number;
    readonly text: string;
  }[];
  readonly losses: readonly (readonly number[])[];
  /** Per request: probability of the new target per token, before and after (geometric mean). */
  readonly targetProbability: readonly { readonly before: number; readonly after: number }[];
  readonly measures?: EditMeasures;
  readonly alarms: readonly EditAlarm[];
  /** |dW| / |W| and the SHA-256 of the unedited float32 weight, for each changed weight. */
  readonly weights: readonly {
    readonly name: WeightName;
    readonly relativeNorm: number;
    readonly sha256: string;
  }[];
}
