// progress.json of a run directory: what a viewer or `safeinfer status` shows of a run in another process.
import type { AsrSoFar } from '../run/asr-so-far.ts';
import type { RunDirectory } from '../run/run-directory.ts';

export interface ProgressFile {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly asr?: AsrSoFar;
}

/** The file is rewritten at most this often (milliseconds). */
const INTERVAL_MS = 500;

export interface ProgressWriter {
  update(update: {
    readonly phase: string;
    readonly done: number;
    readonly total: number;
    readonly asr?: AsrSoFar | undefined;
  }): void;
  /** The last word: `done`, or why the run stopped. */
  end(phase: 'done' | 'interrupted' | 'failed'): void;
}

export function createProgressFile(directory: RunDirectory): ProgressWriter {
  const startedAt = new Date().toISOString();
  let last = Number.NEGATIVE_INFINITY;
  let state = { done: 0, total: 0, asr: undefined as AsrSoFar | undefined };
  const write = (phase: string): void => {
    const { done, total, asr } = state;
    const content: ProgressFile = {
      phase,
      done,
      total,
      startedAt,
      updatedAt: new Date().toISOString(),
      ...(asr === undefined ? {} : { asr }),
    };
    directory.write('progress.json', `${JSON.stringify(content, null, 2)}\n`);
  };
  return {
    update({ phase, done, total, asr }) {
      state = { done, total, asr: asr ?? state.asr };
      const now = performance.now();
      if (now - last < INTERVAL_MS) return;
      last = now;
      write(phase);
    },
    end: (phase) => write(phase),
  };
}
