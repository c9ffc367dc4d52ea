// Progress of long work on stderr: one live line in a terminal, a plain line every few seconds elsewhere.

export interface ProgressUpdate {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  readonly note?: string;
}

/** A terminal line is redrawn at most this often, a log line this seldom (seconds). */
const REDRAW_SECONDS = 0.1;
const LOG_SECONDS = 5;

export interface ProgressLine {
  update(update: ProgressUpdate): void;
  end(): void;
}

export function createProgressLine(stream: NodeJS.WriteStream = process.stderr): ProgressLine {
  const live = stream.isTTY === true;
  let phase = '';
  let phaseStart = 0;
  let doneAtStart = 0;
  let last = 0;
  return {
    update(update) {
      const now = performance.now();
      if (update.phase !== phase) {
        if (live && phase !== '') stream.write('\n');
        phase = update.phase;
        phaseStart = now;
        // The first update of a phase tells that work was done, not how long it took.
        doneAtStart = update.done;
        last = Number.NEGATIVE_INFINITY;
      }
      const finished = update.done >= update.total;
      const wait = (live ? REDRAW_SECONDS : LOG_SECONDS) * 1000;
      if (!finished && now - last < wait) return;
      last = now;
      const line = formatProgress(update, {
        seconds: (now - phaseStart) / 1000,
        done: update.done - doneAtStart,
      });
      stream.write(live ? `\r\x1b[2K${line}` : `${line}\n`);
    },
    end() {
      if (live && phase !== '') stream.write('\n');
      phase = '';
    },
  };
}

/** `measured`: how much of the work was seen being done, and in what time; the rate comes from it. */
export function formatProgress(
  update: ProgressUpdate,
  measured: { readonly seconds: number; readonly done: number },
): string {
  const { phase, done, total, note } = update;
  const rate = measured.seconds > 0 ? measured.done / measured.seconds : 0;
  const left = rate > 0 ? (total - done) / rate : Number.NaN;
  const parts = [`${phase}: ${done}/${total}`];
  if (rate > 0) parts.push(`${rate.toFixed(1)}/s`);
  if (Number.isFinite(left) && done < total) parts.push(`${formatSeconds(left)} left`);
  if (note) parts.push(note);
  return parts.join(' · ');
}

function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`;
}
