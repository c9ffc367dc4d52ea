// How far a run is, in words and as a bar.
import type { JSX } from 'preact';
import type { RunSummary } from '../../schema/api.ts';
import { countText, percent } from '../format.ts';

const STATUS_TEXT = {
  running: 'running',
  stalled: 'not finished',
  done: 'done',
  empty: 'no results yet',
} as const;

export function RunProgress({ summary }: { readonly summary: RunSummary }): JSX.Element {
  const { progress, status } = summary;
  const shown = progress !== null && (status === 'running' || status === 'stalled');
  return (
    <div class="progress">
      <span class={`status ${status}`}>{STATUS_TEXT[status]}</span>
      {shown && (
        <>
          <progress
            value={progress.done}
            max={Math.max(1, progress.total)}
            aria-label={`${summary.id}: ${progress.phase}`}
          />
          <span class="muted">
            {progress.phase}, {countText(progress.done)} of {countText(progress.total)}
            {asrText(progress.asr)}
          </span>
        </>
      )}
    </div>
  );
}

function asrText(asr: NonNullable<RunSummary['progress']>['asr']): string {
  if (asr === undefined || asr === null) return '';
  if (typeof asr === 'number') return `; ASR so far ${percent(asr)} %`;
  const { value, low, high } = asr;
  const interval =
    low === undefined || high === undefined ? '' : ` [${percent(low)}, ${percent(high)}]`;
  return `; ASR so far ${percent(value)}${interval} %`;
}
