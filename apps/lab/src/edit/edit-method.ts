// From settings and statistics to an editor of the package.
import {
  type EditMethod,
  type MeasuredMoment,
  type NullSpace,
  nullSpace,
} from '@safeinfer/editing';
import type { EditMethodName, EditNumbers, NumberName } from './edit-choice.ts';
import type { EditSettings } from './edit-settings.ts';

/** @throws BAD_ARGUMENT for a threshold without a null space */
export function editMethod(options: {
  readonly settings: EditSettings;
  /** Of every layer. Undefined: no statistics, which for ROME means C = I. */
  readonly moments: ReadonlyMap<number, MeasuredMoment> | undefined;
  readonly contextTemplates: readonly string[];
}): EditMethod {
  const { settings, moments, contextTemplates } = options;
  const { method, layers, keys, factToken } = settings;
  const layer = layers[0]!;
  const numbers = defined(settings.numbers);
  const shared = { ...numbers, factToken, contextTemplates };
  const measured = moments ?? new Map<number, MeasuredMoment>();
  const number = (name: NumberName): number => numbers[name]!;
  switch (method) {
    case 'rome': {
      const moment = measured.get(layer);
      return {
        kind: 'rome',
        ...shared,
        layer,
        ...(keys === undefined ? {} : { keys }),
        ...(moment === undefined ? {} : { moment }),
      };
    }
    case 'memit':
      return { kind: 'memit', ...shared, layers, lambda: number('lambda'), moments: measured };
    case 'pmet':
      return { kind: 'pmet', ...shared, layers, lambda: number('lambda'), moments: measured };
    case 'emmet':
      return {
        kind: 'emmet',
        ...shared,
        layer,
        momentScale: number('momentScale'),
        damp: number('damp'),
        moments: measured,
      };
    case 'alphaEdit': {
      const threshold = number('nullSpaceThreshold');
      const nullSpaces = new Map(layers.map((l) => [l, spaceOf(measured.get(l)!, threshold)]));
      return { kind: 'alphaEdit', ...shared, layers, l2: number('l2'), nullSpaces };
    }
    case 'ft-m':
    case 'ft-l':
      return { kind: 'fineTune', layer, objective: OBJECTIVE[method], ...numbers };
  }
}

const OBJECTIVE = { 'ft-m': 'target', 'ft-l': 'promptLast' } as const satisfies Partial<
  Record<EditMethodName, unknown>
>;

function defined(numbers: EditNumbers): { readonly [K in NumberName]?: number } {
  return Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined));
}

/** One decomposition a matrix and threshold, however many facts are edited one by one. */
const spaces = new WeakMap<MeasuredMoment, Map<number, NullSpace>>();

function spaceOf(moment: MeasuredMoment, threshold: number): NullSpace {
  const known = spaces.get(moment) ?? new Map<number, NullSpace>();
  spaces.set(moment, known);
  const space = known.get(threshold) ?? nullSpace(moment, threshold);
  known.set(threshold, space);
  return space;
}
