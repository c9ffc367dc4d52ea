// From a choice to settings: the published ones by name, each number changeable; what no model can make right is refused.
import { SafeInferError } from '@safeinfer/backend';
import {
  ALPHA_EDIT_PRESETS,
  BATCH_DEFAULTS,
  EMMET_PRESETS,
  FINE_TUNE_PRESETS,
  MEMIT_PRESETS,
  PMET_PRESETS,
  ROME_DEFAULTS,
  ROME_PRESETS,
} from '@safeinfer/editing';
import { nearestName } from '../config/nearest-name.ts';
import {
  type EditChoice,
  type EditMethodName,
  type EditNumbers,
  METHOD_NEEDS,
  type NumberName,
  settingName,
} from './edit-choice.ts';
import { type Preset, pocketPresets, pocketSettings } from './pocket-settings.ts';

/** Where second moments come from; `bundled`: statements like those the bundled model was trained on. */
export type StatisticsSource =
  | { readonly from: 'none' | 'identity' | 'bundled' }
  | { readonly from: 'file' | 'texts'; readonly path: string };

export interface EditSettings {
  readonly method: EditMethodName;
  readonly layers: readonly number[];
  readonly numbers: EditNumbers;
  readonly keys?: 'original' | 'averaged' | 'prompt';
  readonly factToken: 'subjectLast' | 'last';
  readonly statistics: StatisticsSource;
  /** Who published them; of the bundled model also which of its own, and why. */
  readonly source: string;
}

const PRESETS: Readonly<Record<EditMethodName, Readonly<Record<string, Preset>>>> = {
  rome: { ...pocketPresets('rome'), ...ROME_PRESETS },
  memit: { ...pocketPresets('memit'), ...MEMIT_PRESETS },
  pmet: { ...pocketPresets('pmet'), ...PMET_PRESETS },
  emmet: { ...pocketPresets('emmet'), ...EMMET_PRESETS },
  alphaEdit: { ...pocketPresets('alphaEdit'), ...ALPHA_EDIT_PRESETS },
  'ft-m': { ...pocketPresets('ft-m'), ...FINE_TUNE_PRESETS },
  'ft-l': { ...pocketPresets('ft-l'), ...FINE_TUNE_PRESETS },
};

/**
 * Costs nothing: it runs before a model is loaded and before statistics are collected.
 * @throws BAD_ARGUMENT (unknown preset, no layer, a number that is missing, misplaced or out of range), NOT_FOUND when
 * the editor needs statistics and nothing says where they come from
 */
export function editSettings(choice: EditChoice): EditSettings {
  const { method, preset: name } = choice;
  const preset = name === undefined ? unnamedPreset(choice) : presetOf(choice, name);
  const layers = choice.layers ?? preset?.layers ?? [preset?.layer ?? []].flat();
  checkLayers(choice, layers);
  const needs = METHOD_NEEDS[method];
  for (const [number, value] of Object.entries(choice.numbers)) {
    if (value !== undefined) checkNumber(choice, number as NumberName, value);
  }
  if (choice.keys !== undefined && method !== 'rome') throw misplaced(choice, 'keys', ['rome']);
  if (choice.factToken !== undefined && needs === METHOD_NEEDS['ft-m']) {
    const others = Object.keys(METHOD_NEEDS).filter((one) => !one.startsWith('ft'));
    throw misplaced(choice, 'factToken', others);
  }
  const numbers = Object.fromEntries(
    needs.numbers.flatMap((number) => {
      const value =
        choice.numbers[number] ??
        (preset as EditNumbers | undefined)?.[number] ??
        defaultsOf(method)[number];
      return value === undefined ? [] : [[number, value]];
    }),
  ) as EditNumbers;
  const missing = needs.required.filter((number) => numbers[number] === undefined);
  if (missing.length > 0) {
    throw refuse(
      `${method} needs ${missing.map((number) => settingName(choice, number)).join(' and ')}`,
      `give the number, or a preset: ${Object.keys(PRESETS[method]).join(', ')}`,
    );
  }
  const keys = choice.keys ?? preset?.keys;
  const ownToken = needs.moments === 'none' ? 'last' : 'subjectLast';
  return {
    method,
    layers,
    numbers,
    ...(keys === undefined ? {} : { keys }),
    factToken: choice.factToken ?? preset?.factToken ?? ownToken,
    statistics: statisticsOf(choice, preset),
    source: preset?.source ?? 'defaults',
  };
}

/** FT as published; the package's own. */
const FT_DEFAULTS: EditNumbers = { learningRate: 5e-4, steps: 25, stopLoss: 1e-2 };

/** Written out, so that an edit says and stores every number that made it. */
function defaultsOf(method: EditMethodName): EditNumbers {
  if (METHOD_NEEDS[method].moments === 'none') return FT_DEFAULTS;
  return method === 'rome' ? ROME_DEFAULTS : BATCH_DEFAULTS;
}

function unnamedPreset(choice: EditChoice): Preset | undefined {
  return choice.model === 'pocket' ? pocketSettings(choice) : undefined;
}

function presetOf(choice: EditChoice, name: string): Preset {
  const presets = PRESETS[choice.method];
  const preset = presets[name];
  if (preset) return preset;
  const names = Object.keys(presets);
  const near = nearestName(name, names);
  throw refuse(
    `no preset "${name}" for ${choice.method}`,
    `${near === undefined ? '' : `did you mean "${near}"? `}presets: ${names.join(', ')}`,
  );
}

function checkLayers(choice: EditChoice, layers: readonly number[]): void {
  const { method } = choice;
  const layer = settingName(choice, METHOD_NEEDS[method].oneLayer ? 'layer' : 'layers');
  if (layers.length === 0) {
    throw refuse(
      'nothing says which layer to edit',
      `name ${choice.words === 'flags' ? '--layer' : layer}, or a preset: ${Object.keys(PRESETS[method]).join(', ')}; safeinfer trace suggests a layer`,
    );
  }
  if (METHOD_NEEDS[method].oneLayer && layers.length > 1) {
    throw refuse(
      `${method} edits one layer, not ${layers.length}`,
      'use memit, pmet or alphaEdit for several',
    );
  }
  const wrong = layers.find((one) => !Number.isInteger(one) || one < 0);
  if (wrong !== undefined) throw refuse(`layer ${wrong} is no layer`, 'layers are 0, 1, 2, ...');
  if (layers.some((one, i) => i > 0 && one <= layers[i - 1]!))
    throw refuse(`layers ${layers.join(', ')} do not ascend`, 'sort them and drop doubles');
}

/** Zero means something for these: no decay, no KL, no early stop, no damping. */
const MAY_BE_ZERO: readonly NumberName[] = ['weightDecay', 'klFactor', 'stopLoss', 'damp'];

function checkNumber(choice: EditChoice, name: NumberName, value: number): void {
  const { method } = choice;
  if (!METHOD_NEEDS[method].numbers.includes(name)) {
    const owners = Object.entries(METHOD_NEEDS).filter(([, { numbers }]) => numbers.includes(name));
    throw misplaced(
      choice,
      name,
      owners.map(([owner]) => owner),
    );
  }
  const zero = MAY_BE_ZERO.includes(name);
  const fits = Number.isFinite(value) && (value > 0 || (zero && value === 0));
  if (fits && (name !== 'steps' || Number.isInteger(value))) return;
  const want =
    name === 'steps' ? 'a whole number from 1' : zero ? 'a number from 0' : 'a number above 0';
  throw refuse(`${settingName(choice, name)} is ${value}`, `give ${want}`);
}

function misplaced(choice: EditChoice, name: string, owners: readonly string[]): SafeInferError {
  return refuse(
    `${settingName(choice, name)} does nothing for ${choice.method}`,
    `leave it out; it belongs to ${owners.join(', ')}`,
  );
}

function statisticsOf(choice: EditChoice, preset: Preset | undefined): StatisticsSource {
  const { method, moments, collect } = choice;
  const needs = METHOD_NEEDS[method].moments;
  const say = (name: string): string => settingName(choice, name);
  if (needs === 'none') {
    const owners = Object.keys(METHOD_NEEDS).filter((one) => !one.startsWith('ft'));
    if (moments !== undefined) throw misplaced(choice, 'moments', owners);
    if (collect !== undefined) throw misplaced(choice, 'collect', owners);
    return { from: 'none' };
  }
  if (moments !== undefined && collect !== undefined) {
    throw refuse(
      `${say('moments')} and ${say('collect')} contradict each other`,
      'name a file of statistics, or texts to collect them from',
    );
  }
  if (moments === 'identity') {
    if (needs === 'optional') return { from: 'identity' };
    throw noMoments(choice, 'and the identity is none');
  }
  if (moments !== undefined) return { from: 'file', path: moments };
  if (collect !== undefined) return { from: 'texts', path: collect };
  if (needs === 'optional' && preset?.moment === 'identity') return { from: 'identity' };
  if (choice.model === 'pocket') return { from: 'bundled' };
  if (needs === 'required') throw noMoments(choice, 'and none are named');
  if (preset?.moment !== 'measured') return { from: 'identity' };
  throw new SafeInferError(
    `preset "${choice.preset}" is ROME with measured second moments, and none are named`,
    {
      code: 'NOT_FOUND',
      hint: `${say('moments')} file.safetensors (or .npz), ${say('collect')} texts.txt, or ${say('moments')} identity for ROME without statistics, which is another method`,
    },
  );
}

function noMoments(choice: EditChoice, why: string): SafeInferError {
  const say = (name: string): string => settingName(choice, name);
  return new SafeInferError(`${choice.method} needs second moments, ${why}`, {
    code: 'NOT_FOUND',
    hint: `${say('moments')} file.safetensors (or .npz for one layer), or ${say('collect')} texts.txt: one text a line, more tokens than the MLP is wide`,
  });
}

function refuse(message: string, hint: string): SafeInferError {
  return new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
}
