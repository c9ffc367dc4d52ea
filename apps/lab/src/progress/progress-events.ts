// Progress as JSON lines, for programs: `--json`.
import type { ProgressLine, ProgressUpdate } from './progress-line.ts';

/** An event at most this often within a phase (milliseconds). */
const INTERVAL_MS = 500;

export function createProgressEvents(
  stream: { write(text: string): unknown } = process.stdout,
): ProgressLine {
  let phase = '';
  let last = Number.NEGATIVE_INFINITY;
  return {
    update(update: ProgressUpdate) {
      const now = performance.now();
      const news = update.phase !== phase || update.done >= update.total;
      if (!news && now - last < INTERVAL_MS) return;
      phase = update.phase;
      last = now;
      stream.write(`${JSON.stringify({ event: 'progress', ...update })}\n`);
    },
    end: () => undefined,
  };
}
