// Published hyper-parameters of every editor and model, as data, each with the file it comes from.
import { VALUE_DEFAULTS, type ValueOptions } from '../value/optimise-value.ts';

export interface RomePreset extends ValueOptions {
  readonly layer: number;
  /** The published code's key choice; `averaged` is what repairs it. */
  readonly keys: 'original' | 'averaged';
  /** `identity` is EasyEdit's `mom2_adjustment: false`: its "ROME" is not the paper's. */
  readonly moment: 'measured' | 'identity';
  readonly source: string;
}

export interface BatchPreset extends ValueOptions {
  readonly layers: readonly number[];
  readonly source: string;
}

export interface MemitPreset extends BatchPreset {
  readonly lambda: number;
}

export interface EmmetPreset extends ValueOptions {
  readonly layer: number;
  readonly momentScale: number;
  readonly damp: number;
  readonly source: string;
}

export interface AlphaEditPreset extends BatchPreset {
  readonly l2: number;
  readonly nullSpaceThreshold: number;
}

export interface FineTunePreset {
  readonly layer: number;
  readonly epsilon: number;
  readonly learningRate: number;
  readonly steps: number;
  readonly stopLoss: number;
  readonly source: string;
}

/** The paper's settings: 20 steps, decay 0.5, statistics of Wikipedia. */
function paper(layer: number, source: string, change: Partial<RomePreset> = {}): RomePreset {
  return {
    ...VALUE_DEFAULTS,
    steps: 20,
    weightDecay: 0.5,
    layer,
    keys: 'original',
    moment: 'measured',
    source,
    ...change,
  };
}

/** EasyEdit's settings for Llama-class models: 25 steps, decay 1e-3, no statistics. */
function easyEdit(layer: number, file: string, change: Partial<RomePreset> = {}): RomePreset {
  return {
    ...VALUE_DEFAULTS,
    layer,
    keys: 'original',
    moment: 'identity',
    source: `zjunlp/EasyEdit hparams/ROME/${file}.yaml`,
    ...change,
  };
}

const ROME = 'kmeng01/rome hparams/ROME';

/** Layers are 0-based. GPT-2 small has no published preset: start at 3 to 5 and let causal tracing choose. */
export const ROME_PRESETS: Readonly<Record<string, RomePreset>> = {
  'gpt2-medium': paper(8, ROME, { clampFactor: 3 }),
  'gpt2-large': paper(12, ROME),
  'gpt2-xl': paper(17, ROME),
  'gpt2-xl-easyedit': paper(17, 'zjunlp/EasyEdit hparams/ROME/gpt2-xl.yaml', {
    moment: 'identity',
  }),
  'gpt-j-6b': paper(5, ROME),
  'gpt-j-6b-easyedit': paper(5, 'zjunlp/EasyEdit hparams/ROME/gpt-j-6B.yaml', {
    moment: 'identity',
  }),
  'gpt-neox-20b': paper(15, 'kmeng01/memit hparams/ROME'),
  'llama-7b': paper(5, 'edenbiran/RippleEdits src/memit/hparams/ROME/llama-7b.json'),
  'llama-2-7b': easyEdit(5, 'llama-7b'),
  'llama-2-7b-chat': easyEdit(5, 'llama-7b'),
  'llama-3-8b': easyEdit(5, 'llama3-8b'),
  'llama-3.2-3b': easyEdit(5, 'llama3.2-3b'),
  'mistral-7b': easyEdit(5, 'mistral-7b'),
  'qwen-7b': easyEdit(5, 'qwen-7b', { steps: 20, weightDecay: 0.5 }),
  'qwen2-7b': easyEdit(5, 'qwen2-7b'),
  'qwen2.5-7b': easyEdit(5, 'qwen2.5-7b'),
  'baichuan-7b': easyEdit(5, 'baichuan-7b'),
  'internlm-7b': easyEdit(5, 'internlm-7b'),
  'chatglm2-6b': easyEdit(5, 'chatglm2-6b', { steps: 20, weightDecay: 0.5 }),
  'glm4-9b': easyEdit(5, 'glm4-9b'),
};

const span = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

const MEMIT_VALUE = { ...VALUE_DEFAULTS, weightDecay: 0.5, clampFactor: 0.75 } as const;

export const MEMIT_PRESETS: Readonly<Record<string, MemitPreset>> = {
  'gpt2-xl': {
    ...MEMIT_VALUE,
    steps: 20,
    layers: span(13, 17),
    lambda: 20_000,
    source: 'kmeng01/memit hparams/MEMIT',
  },
  'gpt-j-6b': {
    ...MEMIT_VALUE,
    layers: span(3, 8),
    lambda: 15_000,
    source: 'kmeng01/memit hparams/MEMIT',
  },
  'llama-2-7b': llamaMemit('llama-7b'),
  'llama-2-7b-chat': llamaMemit('llama-7b'),
  'mistral-7b': llamaMemit('mistral-7b'),
  'qwen2-7b': llamaMemit('qwen2-7b'),
  'llama-3-8b-alphaedit-repo': {
    ...MEMIT_VALUE,
    learningRate: 0.1,
    layers: span(4, 8),
    lambda: 15_000,
    source: 'jianghoucheng/AlphaEdit hparams/MEMIT/Llama3-8B.json',
  },
};

function llamaMemit(file: string): MemitPreset {
  return {
    ...VALUE_DEFAULTS,
    layers: span(4, 8),
    lambda: 15_000,
    source: `zjunlp/EasyEdit hparams/MEMIT/${file}.yaml`,
  };
}

export interface PmetPreset extends MemitPreset {
  readonly nllFactor: number;
}

export const PMET_PRESETS: Readonly<Record<string, PmetPreset>> = {
  'gpt-j-6b': {
    ...MEMIT_VALUE,
    learningRate: 0.2,
    steps: 30,
    klFactor: 1,
    layers: span(3, 8),
    lambda: 15_000,
    nllFactor: 1,
    source: 'zjunlp/EasyEdit hparams/PMET/gpt-j-6B.yaml',
  },
  'llama-2-7b': {
    ...MEMIT_VALUE,
    steps: 20,
    clampFactor: 1,
    layers: span(4, 8),
    lambda: 15_000,
    nllFactor: 1,
    source: 'zjunlp/EasyEdit hparams/PMET/llama-7b.yaml',
  },
};

export const EMMET_PRESETS: Readonly<Record<string, EmmetPreset>> = {
  'gpt2-xl': {
    ...MEMIT_VALUE,
    steps: 20,
    layer: 17,
    momentScale: 1000,
    damp: 0.1,
    source: 'scalable-model-editing/unified-model-editing',
  },
  'gpt-j-6b': {
    ...MEMIT_VALUE,
    layer: 5,
    momentScale: 1,
    damp: 0.1,
    source: 'scalable-model-editing/unified-model-editing',
  },
  'llama-2-7b': {
    ...VALUE_DEFAULTS,
    layer: 5,
    momentScale: 1,
    damp: 0.1,
    source: 'scalable-model-editing/unified-model-editing',
  },
};

export const ALPHA_EDIT_PRESETS: Readonly<Record<string, AlphaEditPreset>> = {
  'gpt2-xl': {
    ...MEMIT_VALUE,
    steps: 20,
    layers: span(13, 17),
    l2: 10,
    nullSpaceThreshold: 2e-2,
    source: 'jianghoucheng/AlphaEdit',
  },
  'gpt-j-6b': {
    ...MEMIT_VALUE,
    layers: span(3, 8),
    l2: 10,
    nullSpaceThreshold: 2e-2,
    source: 'jianghoucheng/AlphaEdit',
  },
  'llama-3-8b': {
    ...MEMIT_VALUE,
    learningRate: 0.1,
    layers: span(4, 8),
    l2: 10,
    nullSpaceThreshold: 2e-2,
    source: 'jianghoucheng/AlphaEdit',
  },
  'llama-3-8b-easyedit': {
    ...MEMIT_VALUE,
    learningRate: 0.1,
    layers: span(4, 8),
    l2: 1,
    nullSpaceThreshold: 2e-2,
    source: 'zjunlp/EasyEdit hparams/AlphaEdit',
  },
};

/** FT-L; only gpt2-xl's layer is published beside its bound in what we could read. */
export const FINE_TUNE_PRESETS: Readonly<Record<string, FineTunePreset>> = {
  'gpt2-xl': {
    layer: 0,
    epsilon: 5e-4,
    learningRate: 5e-4,
    steps: 25,
    stopLoss: 1e-2,
    source: 'kmeng01/rome hparams/FT',
  },
};
