// Arms that differ in one number only (a strength, a lambda) are doses: they are shown as a curve.
import type { ArmConfig } from '../config/experiment-schema.ts';
import type { MeasureName } from './measures.ts';
import type { Rate, SummaryRow } from './summarise.ts';

export interface DosePoint {
  readonly dose: number;
  readonly arm: string;
  readonly measure: MeasureName;
  readonly rate: Rate;
}

export interface DoseSeries {
  /** Path of the number in the arm: `steer.safetyAmplification.strength`. */
  readonly parameter: string;
  readonly edit: string;
  readonly style: string;
  readonly points: readonly DosePoint[];
}

/** Two doses are a comparison, not a curve. */
const FEWEST = 3;

export function doseSeries(arms: readonly ArmConfig[], rows: readonly SummaryRow[]): DoseSeries[] {
  return sweeps(arms).flatMap(({ parameter, doses }) => {
    const places = new Map(rows.map(({ edit, style }) => [`${edit}\n${style}`, { edit, style }]));
    return [...places.values()].flatMap(({ edit, style }): DoseSeries[] => {
      const points = doses.flatMap(({ dose, arm }): DosePoint[] => {
        const row = rows.find((one) => one.edit === edit && one.style === style && one.arm === arm);
        return (['asr', 'overRefusal', 'accuracy'] as const).flatMap((measure) => {
          const rate = row?.[measure];
          return rate === undefined ? [] : [{ dose, arm, measure, rate }];
        });
      });
      return points.length === 0 ? [] : [{ parameter, edit, style, points }];
    });
  });
}

interface Sweep {
  readonly parameter: string;
  readonly doses: readonly { readonly dose: number; readonly arm: string }[];
}

function sweeps(arms: readonly ArmConfig[]): Sweep[] {
  const found = new Map<string, { parameter: string; doses: { dose: number; arm: string }[] }>();
  for (const arm of arms) {
    const { name, ...config } = arm;
    for (const [path, dose] of numbersIn(config, [])) {
      const key = JSON.stringify([path, without(config, path)]);
      const sweep = found.get(key) ?? { parameter: path.join('.'), doses: [] };
      sweep.doses.push({ dose, arm: name });
      found.set(key, sweep);
    }
  }
  return [...found.values()]
    .filter(({ doses }) => new Set(doses.map(({ dose }) => dose)).size >= FEWEST)
    .map(({ parameter, doses }) => ({ parameter, doses: doses.sort((a, b) => a.dose - b.dose) }));
}

function numbersIn(value: unknown, path: readonly string[]): [readonly string[], number][] {
  if (typeof value === 'number') return [[path, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => numbersIn(part, [...path, key]));
}

function without(value: unknown, path: readonly string[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return null;
  const object = value as Readonly<Record<string, unknown>>;
  return { ...object, [key]: without(object[key], rest) };
}
