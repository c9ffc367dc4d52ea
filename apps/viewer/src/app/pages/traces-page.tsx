// Causal traces: how much of the answer each restored state brings back, token by layer, for the three kinds of state.
import type { JSX } from 'preact';
import type { RunDetail } from '../../schema/api.ts';
import type { CausalTrace } from '../../schema/causal-trace.ts';
import { useApp } from '../app-context.ts';
import { percent } from '../format.ts';
import { shareColour } from '../parts/colour-scale.ts';
import { HeatMap } from '../parts/heat-map.tsx';
import { Notice } from '../parts/notice.tsx';
import { SelectField } from '../parts/select-field.tsx';
import { useLoaded } from '../use-loaded.ts';
import { setParams } from '../use-route.ts';

/** One colour for all three: they share one scale. */
const INK = 'var(--plus)';
const KINDS = [
  { name: 'state', label: 'Residual stream' },
  { name: 'mlp', label: 'MLP' },
  { name: 'attention', label: 'Attention' },
] as const;

export function TracesPage({ detail }: { readonly detail: RunDetail }): JSX.Element {
  const { source, route } = useApp();
  const asked = route.params.get('trace');
  const name = detail.traces.find((trace) => trace === asked) ?? detail.traces[0];
  const { value, error } = useLoaded(`${detail.summary.revision} ${name}`, async () =>
    name === undefined ? undefined : source.trace(detail.id, name),
  );
  if (name === undefined) {
    return (
      <Notice>
        No causal traces. <code>safeinfer trace</code> writes them into <code>traces/</code>.
      </Notice>
    );
  }
  return (
    <>
      <div class="filters">
        <SelectField
          label="trace"
          value={name}
          options={detail.traces}
          onChange={(trace) => setParams(route, { trace })}
        />
      </div>
      {error !== undefined && <Notice error={error} />}
      {value && <Trace trace={value} />}
    </>
  );
}

function Trace({ trace }: { readonly trace: CausalTrace }): JSX.Element {
  const [start, end] = trace.subject;
  // Token texts repeat: the place makes them row names.
  const rowNames = trace.tokens.map((token) => token.replaceAll('\n', '⏎').trim() || '␣');
  return (
    <>
      <p class="text prompt">
        {trace.prompt} <b>→ {trace.answer}</b>
      </p>
      <p class="muted">
        p(answer) clean {percent(trace.clean)} %, corrupted {percent(trace.corrupted)} %; MLP and
        attention restored over a window of {trace.window} layers. Rows of the corrupted subject are
        set off.
      </p>
      <p class="scale">
        <span class="muted">corrupted {percent(trace.corrupted)} %</span>
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <span
            key={share}
            class="swatch"
            aria-hidden="true"
            style={{ background: shareColour(share, INK) }}
          />
        ))}
        <span class="muted">clean {percent(trace.clean)} %</span>
      </p>
      <div class="traces-layout">
        {KINDS.map(({ name, label }) => {
          const values = trace.maps[name];
          const layers = values[0]?.length ?? 0;
          return (
            <HeatMap
              key={name}
              label={label}
              rowTitle="token"
              columnTitle="layer"
              rowNames={rowNames}
              columnNames={Array.from({ length: layers }, (_, i) => String(i))}
              values={values}
              colour={(value) => shareColour(restored(value, trace), INK)}
              valueText={(value) => `${percent(value)} percent`}
              markedRows={(row) => row >= start && row < end}
              describe={({ row, column }) =>
                `“${rowNames[row] ?? ''}”, layer ${column}: ${percent(values[row]?.[column] ?? 0)} %`
              }
            />
          );
        })}
      </div>
    </>
  );
}

/** 0 at the corrupted run's probability, 1 at the clean one's. */
function restored(value: number, { clean, corrupted }: CausalTrace): number {
  return clean === corrupted ? 0 : (value - corrupted) / (clean - corrupted);
}
