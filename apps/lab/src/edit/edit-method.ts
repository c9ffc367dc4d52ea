// From flags and presets to an editor: the fact sheet's published settings by name, each number changeable.
import { SafeInferError } from '@safeinfer/backend';
import {
  ALPHA_EDIT_PRESETS,
  type EditMethod,
  EMMET_PRESETS,
  FINE_TUNE_PRESETS,
  MEMIT_PRESETS,
  type MeasuredMoment,
  nullSpace,
  PMET_PRESETS,
  ROME_PRESETS,
} from '@safeinfer/editing';
import { nearestName } from '../config/nearest-name.ts';
import type { EditFlags, EditMethodName } from './edit-flags.ts';

/** Settings by name: a published preset's members, or the bundled model's. */
export interface EditSettings {
  readonly layers: readonly number[];
  readonly numbers: Readonly<Record<string, number>>;
  readonly keys?: 'original' | 'averaged' | 'prompt';
  readonly source: string;
}

/** Measured on facts other than those whose figures are reported: packages/editing/bench/pocket-edits.ts. */
const POCKET_VALUE = {
  learningRate: 1,
  steps: 120,
  weightDecay: 1e-3,
  clampFactor: 4,
  klFactor: 0.0625,
  stopLoss: 0.05,
} as const;
const POCKET: Readonly<Record<EditMethodName, EditSettings>> = {
  rome: { layers: [0], numbers: POCKET_VALUE, source: 'bundled model' },
  memit: { layers: [0], numbers: { ...POCKET_VALUE, lambda: 10 }, source: 'bundled model' },
  pmet: { layers: [0], numbers: { ...POCKET_VALUE, lambda: 10 }, source: 'bundled model' },
  emmet: {
    layers: [0],
    numbers: { ...POCKET_VALUE, momentScale: 1, damp: 0.1 },
    source: 'bundled model',
  },
  alphaedit: {
    layers: [0],
    numbers: { ...POCKET_VALUE, l2: 1e-3, nullSpaceThreshold: 1e-3 },
    source: 'bundled model',
  },
  ft: {
    layers: [5],
    numbers: { learningRate: 5e-3, steps: 25, stopLoss: 1e-2 },
    source: 'bundled model',
  },
};

interface Preset {
  readonly source: string;
  readonly layer?: number;
  readonly layers?: readonly number[];
  readonly keys?: 'original' | 'averaged';
}

const PRESETS: Readonly<Record<EditMethodName, Readonly<Record<string, Preset>>>> = {
  rome: ROME_PRESETS,
  memit: MEMIT_PRESETS,
  pmet: PMET_PRESETS,
  emmet: EMMET_PRESETS,
  alphaedit: ALPHA_EDIT_PRESETS,
  ft: FINE_TUNE_PRESETS,
};

/** @throws BAD_ARGUMENT for an unknown preset, or when neither preset nor layer says where to edit */
export function editSettings(flags: EditFlags): EditSettings {
  const { method, preset, layer } = flags;
  const given = {
    learningRate: flags.lr,
    steps: flags.steps,
    clampFactor: flags.clamp,
    weightDecay: flags.decay,
    lambda: flags.lambda,
    l2: flags.l2,
    nullSpaceThreshold: flags.nullSpace,
  };
  const own = Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
  const base = baseSettings(method, preset ?? (flags.model === 'pocket' ? 'pocket' : undefined));
  const layers = layer ?? base.layers;
  if (layers.length === 0) {
    throw new SafeInferError('no layer to edit', {
      code: 'BAD_ARGUMENT',
      hint: `name --layer, or a --preset: ${Object.keys(PRESETS[method]).join(', ')}; safeinfer trace suggests a layer`,
    });
  }
  const keys = flags.keys ?? base.keys;
  return {
    layers,
    numbers: { ...base.numbers, ...own },
    ...(keys === undefined ? {} : { keys }),
    source: base.source,
  };
}

function baseSettings(method: EditMethodName, name: string | undefined): EditSettings {
  if (name === undefined) return { layers: [], numbers: {}, source: 'defaults' };
  if (name === 'pocket') return POCKET[method];
  const preset = PRESETS[method][name];
  if (preset === undefined) {
    const names = ['pocket', ...Object.keys(PRESETS[method])];
    const near = nearestName(name, names);
    throw new SafeInferError(`no preset "${name}" for ${method}`, {
      code: 'BAD_ARGUMENT',
      hint: `${near === undefined ? '' : `did you mean "${near}"? `}presets: ${names.join(', ')}`,
    });
  }
  const { source, layer, layers = layer === undefined ? [] : [layer], keys, ...rest } = preset;
  const numbers = Object.entries(rest).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  return {
    layers,
    numbers: Object.fromEntries(numbers),
    ...(keys === undefined ? {} : { keys }),
    source,
  };
}

/** What each editor cannot do without, known before a model is loaded. */
const NEEDS: Readonly<
  Record<
    EditMethodName,
    {
      readonly oneLayer: boolean;
      readonly numbers: readonly string[];
      readonly moments: boolean;
    }
  >
> = {
  rome: { oneLayer: true, numbers: [], moments: false },
  memit: { oneLayer: false, numbers: ['lambda'], moments: true },
  pmet: { oneLayer: false, numbers: ['lambda'], moments: true },
  emmet: { oneLayer: true, numbers: ['momentScale', 'damp'], moments: true },
  alphaedit: { oneLayer: false, numbers: ['l2', 'nullSpaceThreshold'], moments: true },
  ft: { oneLayer: true, numbers: [], moments: false },
};

/**
 * Refuses settings that no model can make right. Costs nothing: it runs before statistics are collected.
 * @throws NOT_FOUND when the editor needs statistics and none are named, BAD_ARGUMENT
 */
export function checkMethod(flags: EditFlags, settings: EditSettings): void {
  const { method } = flags;
  const needs = NEEDS[method];
  if (needs.oneLayer && settings.layers.length !== 1) {
    throw new SafeInferError(`${method} edits one layer, not ${settings.layers.length}`, {
      code: 'BAD_ARGUMENT',
      hint: 'use memit, pmet or alphaedit for several',
    });
  }
  for (const name of needs.numbers) numberOf(flags, settings, name);
  const { moments, collect, model } = flags;
  const named = moments === undefined ? collect !== undefined || model === 'pocket' : true;
  if (needs.moments && (!named || moments === 'identity')) throw noMoments(method);
}

function numberOf(flags: EditFlags, settings: EditSettings, name: string): number {
  const value = settings.numbers[name];
  if (value !== undefined) return value;
  throw new SafeInferError(
    `${flags.method} needs --${name === 'nullSpaceThreshold' ? 'null-space' : name}`,
    { code: 'BAD_ARGUMENT', hint: 'give the number, or a --preset' },
  );
}

function noMoments(method: EditMethodName): SafeInferError {
  return new SafeInferError(`${method} needs second moments`, {
    code: 'NOT_FOUND',
    hint: '--moments file.safetensors (or .npz), or --collect texts.txt',
  });
}

/** Settings that `checkMethod` let pass. @throws NOT_FOUND when statistics lack a layer, BAD_ARGUMENT */
export function editMethod(options: {
  readonly flags: EditFlags;
  readonly settings: EditSettings;
  readonly moments: ReadonlyMap<number, MeasuredMoment> | undefined;
  readonly contextTemplates: readonly string[];
}): EditMethod {
  const { flags, settings, moments, contextTemplates } = options;
  const { layers, numbers, keys } = settings;
  const layer = layers[0]!;
  const factToken = flags.factToken === undefined ? {} : { factToken: flags.factToken };
  const shared = { ...numbers, ...factToken, contextTemplates };
  const measured = (): ReadonlyMap<number, MeasuredMoment> => {
    if (moments) return moments;
    throw noMoments(flags.method);
  };
  const number = (name: string): number => numberOf(flags, settings, name);
  switch (flags.method) {
    case 'rome': {
      const moment = moments?.get(layer);
      return {
        kind: 'rome',
        ...shared,
        layer,
        ...(keys === undefined ? {} : { keys }),
        ...(moment === undefined ? {} : { moment }),
      };
    }
    case 'memit':
      return { kind: 'memit', ...shared, layers, lambda: number('lambda'), moments: measured() };
    case 'pmet':
      return { kind: 'pmet', ...shared, layers, lambda: number('lambda'), moments: measured() };
    case 'emmet':
      return {
        kind: 'emmet',
        ...shared,
        layer,
        momentScale: number('momentScale'),
        damp: number('damp'),
        moments: measured(),
      };
    case 'alphaedit':
      return {
        kind: 'alphaEdit',
        ...shared,
        layers,
        l2: number('l2'),
        nullSpaces: new Map(
          layers.map((l) => [l, nullSpace(momentOf(measured(), l), number('nullSpaceThreshold'))]),
        ),
      };
    case 'ft':
      return {
        kind: 'fineTune',
        layer,
        objective: flags.objective ?? 'target',
        ...numbers,
      };
  }
}

function momentOf(moments: ReadonlyMap<number, MeasuredMoment>, layer: number): MeasuredMoment {
  const moment = moments.get(layer);
  if (moment) return moment;
  throw new SafeInferError(`there are no second moments of layer ${layer}`, {
    code: 'NOT_FOUND',
    hint: `the statistics have layers ${[...moments.keys()].join(', ')}; collect the others`,
  });
}
