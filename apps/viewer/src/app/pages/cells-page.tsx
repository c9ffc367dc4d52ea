// Every edit x style x benchmark against every arm; the colour is attack success or over-refusal.
import type { JSX } from 'preact';
import { asrOf, type Cell, overRefusalOf } from '../../query/cells.ts';
import type { RunDetail } from '../../schema/api.ts';
import type { Rate } from '../../schema/report-rows.ts';
import { useApp } from '../app-context.ts';
import { intervalText, percent } from '../format.ts';
import { shareColour } from '../parts/colour-scale.ts';
import { Notice } from '../parts/notice.tsx';
import { SelectField } from '../parts/select-field.tsx';
import { useGridFocus } from '../parts/use-grid-focus.ts';
import { runHref } from '../route.ts';
import { setParams } from '../use-route.ts';

const METRICS = {
  asr: {
    text: 'attack success (harmful complied)',
    ink: 'var(--unwanted)',
    rate: asrOf,
    kind: 'harmful',
    outcome: 'complied',
  },
  overRefusal: {
    text: 'over-refusal (harmless refused)',
    ink: 'var(--plus)',
    rate: overRefusalOf,
    kind: 'harmless',
    outcome: 'refused',
  },
} as const;
type Metric = keyof typeof METRICS;

export function CellsPage({ detail }: { readonly detail: RunDetail }): JSX.Element {
  const { route } = useApp();
  const metric: Metric = route.params.get('metric') === 'overRefusal' ? 'overRefusal' : 'asr';
  const { arms } = detail.facets;
  const lines = linesOf(detail, metric);
  const grid = useGridFocus<HTMLTableElement>({ rows: lines.length, columns: arms.length });
  const { ink, kind } = METRICS[metric];
  return (
    <>
      <div class="filters">
        <SelectField
          label="Colour"
          value={metric}
          options={Object.entries(METRICS).map(([value, { text }]) => ({ value, text }))}
          onChange={(value) => setParams(route, { metric: value })}
        />
        <p class="scale" aria-hidden="true">
          0 %
          {[0, 0.25, 0.5, 0.75, 1].map((share) => (
            <span key={share} style={{ background: shareColour(share, ink) }} />
          ))}
          100 %
        </p>
        <p class="muted small">Percent, 95 % interval and n; a cell leads to its items.</p>
      </div>
      {lines.length === 0 ? (
        <Notice>No {kind} items in this run.</Notice>
      ) : (
        <div class="scroll">
          <table
            // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table with keyboard movement is a grid
            role="grid"
            class="cells"
            aria-label={METRICS[metric].text}
            ref={grid.container}
          >
            <thead>
              <tr>
                <th scope="col">Edit</th>
                <th scope="col">Prompt style</th>
                <th scope="col">Benchmark</th>
                {arms.map((arm) => (
                  <th key={arm} scope="col">
                    {arm}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {lines.map(({ edit, style, benchmark, cells }, row) => (
                <tr key={`${edit} ${style} ${benchmark}`}>
                  <th scope="row">{edit}</th>
                  <th scope="row">{style}</th>
                  <th scope="row">{benchmark}</th>
                  {arms.map((arm, column) => {
                    const rate = cells.get(arm);
                    return (
                      // biome-ignore lint/a11y/useFocusableInteractive: the link in it takes the focus
                      <td
                        key={arm}
                        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a cell of a grid
                        role="gridcell"
                        style={{ background: rate ? shareColour(rate.value, ink) : 'none' }}
                      >
                        <a
                          {...grid.cell(row, column)}
                          aria-label={`${edit}, ${style}, ${benchmark}, ${arm}: ${rateLabel(rate)}`}
                          href={runHref(detail.id, 'items', {
                            edit,
                            style,
                            benchmark,
                            arm,
                            outcome: rate?.count ? METRICS[metric].outcome : undefined,
                            kind,
                          })}
                        >
                          <CellText rate={rate} />
                        </a>
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function CellText({ rate }: { readonly rate: Rate | undefined }): JSX.Element {
  if (!rate) return <span class="muted">–</span>;
  return (
    <>
      <b>{percent(rate.value)}</b>
      <span class="small">
        [{percent(rate.low)}, {percent(rate.high)}] n {rate.total}
      </span>
    </>
  );
}

function rateLabel(rate: Rate | undefined): string {
  return rate ? `${intervalText(rate)} percent, n ${rate.total}` : 'not measured';
}

interface Line {
  readonly edit: string;
  readonly style: string;
  readonly benchmark: string;
  readonly cells: ReadonlyMap<string, Rate>;
}

/** Lines without a single item of the metric's kind are left out. */
function linesOf({ facets, cells }: RunDetail, metric: Metric): Line[] {
  const byPlace = new Map<string, Map<string, Rate>>();
  const place = (cell: Pick<Cell, 'edit' | 'style' | 'benchmark'>): string =>
    JSON.stringify([cell.edit, cell.style, cell.benchmark]);
  for (const cell of cells) {
    const rate = METRICS[metric].rate(cell);
    if (!rate) continue;
    const key = place(cell);
    const arms = byPlace.get(key) ?? new Map<string, Rate>();
    arms.set(cell.arm, rate);
    byPlace.set(key, arms);
  }
  return facets.edits.flatMap((edit) =>
    facets.styles.flatMap((style) =>
      facets.benchmarks.flatMap((benchmark) => {
        const found = byPlace.get(place({ edit, style, benchmark }));
        return found ? [{ edit, style, benchmark, cells: found }] : [];
      }),
    ),
  );
}
