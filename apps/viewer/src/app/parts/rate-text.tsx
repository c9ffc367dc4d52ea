// A rate with its interval, or a dash where nothing was measured.
import type { JSX } from 'preact';
import type { Rate } from '../../schema/report-rows.ts';
import { percent } from '../format.ts';

export function RateText({ rate }: { readonly rate: Rate | null | undefined }): JSX.Element {
  if (!rate) return <span class="muted">–</span>;
  return (
    <span class="rate" title={`${rate.count} of ${rate.total}`}>
      {percent(rate.value)}{' '}
      <span class="interval">
        [{percent(rate.low)}, {percent(rate.high)}]
      </span>
    </span>
  );
}
