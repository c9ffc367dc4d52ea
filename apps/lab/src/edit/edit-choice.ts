// What an edit is asked to be, whoever asks: flags of `safeinfer edit`, or an edit of an experiment file.

/** FT-M and FT-L are fine-tuning with the target's tokens scored where they stand, or all at the prompt's last token. */
export const EDIT_METHODS = [
  'rome',
  'memit',
  'emmet',
  'pmet',
  'alphaEdit',
  'ft-m',
  'ft-l',
] as const;
export type EditMethodName = (typeof EDIT_METHODS)[number];

/** Every number of an editor, with the flag that sets it. */
export const NUMBER_FLAGS = {
  learningRate: 'lr',
  steps: 'steps',
  clampFactor: 'clamp',
  weightDecay: 'decay',
  klFactor: 'kl',
  stopLoss: 'stop-loss',
  lambda: 'lambda',
  nllFactor: 'nll-factor',
  momentScale: 'moment-scale',
  damp: 'damp',
  l2: 'l2',
  nullSpaceThreshold: 'null-space',
  epsilon: 'epsilon',
} as const;
export type NumberName = keyof typeof NUMBER_FLAGS;
export type EditNumbers = { readonly [K in NumberName]?: number | undefined };

const VALUE = [
  'learningRate',
  'steps',
  'clampFactor',
  'weightDecay',
  'klFactor',
  'stopLoss',
] as const satisfies readonly NumberName[];
const FINE_TUNE = ['learningRate', 'steps', 'stopLoss', 'epsilon'] as const;

/** What an editor takes and cannot do without. */
export interface MethodNeeds {
  readonly oneLayer: boolean;
  /** Facts are written one a call; the others take many at once. */
  readonly oneFact: boolean;
  readonly numbers: readonly NumberName[];
  /** Of them, those without a default. */
  readonly required: readonly NumberName[];
  readonly moments: 'none' | 'optional' | 'required';
}

const fineTune: MethodNeeds = {
  oneLayer: true,
  oneFact: true,
  numbers: FINE_TUNE,
  required: [],
  moments: 'none',
};
const memit: MethodNeeds = {
  oneLayer: false,
  oneFact: false,
  numbers: [...VALUE, 'lambda'],
  required: ['lambda'],
  moments: 'required',
};
export const METHOD_NEEDS: Readonly<Record<EditMethodName, MethodNeeds>> = {
  rome: { oneLayer: true, oneFact: true, numbers: VALUE, required: [], moments: 'optional' },
  memit,
  pmet: { ...memit, numbers: [...memit.numbers, 'nllFactor'] },
  emmet: {
    oneLayer: true,
    oneFact: false,
    numbers: [...VALUE, 'momentScale', 'damp'],
    required: ['momentScale', 'damp'],
    moments: 'required',
  },
  alphaEdit: {
    oneLayer: false,
    oneFact: false,
    numbers: [...VALUE, 'l2', 'nullSpaceThreshold'],
    required: ['l2', 'nullSpaceThreshold'],
    moments: 'required',
  },
  'ft-m': fineTune,
  'ft-l': fineTune,
};

export interface EditChoice {
  readonly method: EditMethodName;
  /** `pocket` brings settings and texts for statistics of its own. */
  readonly model: string;
  /** Facts that share one edited model, at once or one after the other. */
  readonly facts: number;
  readonly preset?: string | undefined;
  readonly layers?: readonly number[] | undefined;
  readonly factToken?: 'subjectLast' | 'last' | undefined;
  readonly keys?: 'averaged' | 'original' | 'prompt' | undefined;
  readonly numbers: EditNumbers;
  /** A file of second moments, or `identity`. */
  readonly moments?: string | undefined;
  /** A text file, one text a line, that moments are collected from. */
  readonly collect?: string | undefined;
  /** How messages name a setting. */
  readonly words: 'flags' | 'file';
}

/** A setting as its user writes it. */
export function settingName(choice: Pick<EditChoice, 'words'>, name: string): string {
  if (choice.words === 'file') return name;
  const flag = (NUMBER_FLAGS as Readonly<Record<string, string>>)[name];
  return `--${flag ?? name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
