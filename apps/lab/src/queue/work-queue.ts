// Where units of work go: done here, shared with other processes of this machine, or pulled by other machines.
import type { Unit } from '../plan/unit.ts';
import type { Collected } from '../store/stored-generate.ts';

export interface OfferedUnits {
  readonly units: readonly Unit[];
  /** Store keys of the vectors and edits that the units are made with. */
  readonly needs: readonly string[];
  /** Does one unit in this process. */
  readonly work: (unit: Unit) => Promise<Collected>;
  /** A unit's answers are in the store; `made` when that was not so before. */
  readonly onDone: (unit: Unit, made?: Pick<Collected, 'failures' | 'error'>) => void;
}

/** Every unit that was offered is in the store after `finish`; a unit is made twice only when its maker died. */
export interface WorkQueue extends AsyncDisposable {
  offer(offered: OfferedUnits): Promise<void>;
  finish(): Promise<void>;
}
