// Rates of every row with their intervals on one axis. The table above it holds the same numbers for those who cannot see it.
import type { JSX } from 'preact';
import type { Rate, ReportRow } from '../../schema/report-rows.ts';
import { intervalText } from '../format.ts';

const ROW = 26;
const LABEL = 300;
const PLOT = 520;
const TOP = 26;
const SERIES = [
  { name: 'asr', text: 'ASR', shift: -4 },
  { name: 'overRefusal', text: 'harmless refused', shift: 4 },
] as const;

export function IntervalPlot({ rows }: { readonly rows: readonly ReportRow[] }): JSX.Element {
  const height = TOP + rows.length * ROW + 6;
  const x = (share: number): number => LABEL + share * PLOT;
  return (
    <div class="scroll">
      <p class="legend" aria-hidden="true">
        {SERIES.map(({ name, text }) => (
          <span key={name} class={`key ${name}`}>
            {text}
          </span>
        ))}
      </p>
      <svg
        class="intervals"
        role="img"
        aria-label="Attack success and over-refusal of every arm with 95 % intervals; the table above holds the same numbers"
        viewBox={`0 0 ${LABEL + PLOT + 30} ${height}`}
        width={LABEL + PLOT + 30}
        height={height}
      >
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <g key={share} class="axis">
            <line x1={x(share)} x2={x(share)} y1={TOP - 6} y2={height - 6} />
            <text x={x(share)} y={12} text-anchor="middle">
              {100 * share} %
            </text>
          </g>
        ))}
        {rows.map((row, i) => {
          const y = TOP + i * ROW + ROW / 2;
          return (
            <g key={`${row.edit} ${row.style} ${row.arm}`}>
              <text x={LABEL - 12} y={y + 4} text-anchor="end">
                {row.edit} · {row.style} · {row.arm}
              </text>
              {SERIES.map(({ name, text, shift }) => (
                <Interval key={name} name={name} text={text} rate={row[name]} x={x} y={y + shift} />
              ))}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function Interval(props: {
  readonly name: string;
  readonly text: string;
  readonly rate: Rate | null | undefined;
  readonly x: (share: number) => number;
  readonly y: number;
}): JSX.Element | null {
  const { rate, x, y } = props;
  if (!rate) return null;
  return (
    <g class={`series ${props.name}`}>
      <title>{`${props.text} ${intervalText(rate)}`}</title>
      <line x1={x(rate.low)} x2={x(rate.high)} y1={y} y2={y} />
      <circle cx={x(rate.value)} cy={y} r={3.5} />
    </g>
  );
}
