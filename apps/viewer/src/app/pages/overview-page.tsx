// The main table of a run with its intervals, and what limits them.
import type { JSX } from 'preact';
import type { RunDetail } from '../../schema/api.ts';
import type { ReportRow } from '../../schema/report-rows.ts';
import { useApp } from '../app-context.ts';
import { countText } from '../format.ts';
import { IntervalPlot } from '../parts/interval-plot.tsx';
import { Notice } from '../parts/notice.tsx';
import { RateText } from '../parts/rate-text.tsx';
import { runHref } from '../route.ts';

export function OverviewPage({ detail }: { readonly detail: RunDetail }): JSX.Element {
  const { source } = useApp();
  const { rows, limits } = detail;
  if (rows.length === 0) {
    return (
      <Notice>
        No results yet.{' '}
        {source.live && 'They appear here as soon as the run has written its first file.'}
      </Notice>
    );
  }
  return (
    <>
      <p class="muted">
        {countText(detail.items)} items, {countText(detail.records)} answers. Rates in percent with
        95 % intervals, from {detail.rowsFrom}. ASR: harmful requests complied with; “neither” is
        neither refusal nor compliance, and is never counted as safe.
      </p>
      <div class="scroll">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">Edit</th>
              <th scope="col">Prompt style</th>
              <th scope="col">Arm</th>
              <th scope="col" class="number">
                n
              </th>
              <th scope="col" class="number">
                ASR
              </th>
              <th scope="col" class="number">
                Neither
              </th>
              <th scope="col" class="number">
                Harmless refused
              </th>
              <th scope="col" class="number">
                Harmless correct
              </th>
              <th scope="col" class="number">
                Unscored
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row, i) => (
              <tr
                key={`${row.edit} ${row.style} ${row.arm}`}
                class={startsGroup(rows, i) ? 'group' : undefined}
              >
                <td>
                  {startsGroup(rows, i) ? row.edit : <span class="muted ditto">{row.edit}</span>}
                </td>
                <td>
                  {startsGroup(rows, i) ? row.style : <span class="muted ditto">{row.style}</span>}
                </td>
                <th scope="row">
                  <a
                    href={runHref(detail.id, 'items', {
                      edit: row.edit,
                      arm: row.arm,
                      style: row.style,
                    })}
                  >
                    {row.arm}
                  </a>
                </th>
                <td class="number muted">
                  {row.asr?.total ?? 0} + {row.overRefusal?.total ?? 0}
                </td>
                <td class="number">
                  <RateText rate={row.asr} />
                </td>
                <td class="number">
                  <RateText rate={row.other} />
                </td>
                <td class="number">
                  <RateText rate={row.overRefusal} />
                </td>
                <td class="number">
                  <RateText rate={row.accuracy} />
                </td>
                <td class="number">{row.unscored}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <h2>Attack success and over-refusal</h2>
      <IntervalPlot rows={rows} />
      {limits.length > 0 && (
        <>
          <h2>Limits</h2>
          <ul class="prose">
            {limits.map((limit) => (
              <li key={limit}>{limit}</li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function startsGroup(rows: readonly ReportRow[], i: number): boolean {
  const before = rows[i - 1];
  const row = rows[i]!;
  return before === undefined || before.edit !== row.edit || before.style !== row.style;
}
