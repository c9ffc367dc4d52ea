// The linear modules of a checkpoint as PEFT addresses them, and which canonical weights they hold.
import type { ModelConfig } from '../config/model-config.ts';
import type { WeightName } from '../config/weight-name.ts';
import { familyOf } from './registry.ts';
import { checkpointNames, outputIndices, weightTable } from './weight-table.ts';

/** One linear module. A LoRA on it has A [r, inputs] shared by all parts and B [outputs, r] split among them. */
export interface PeftModule {
  /** Full path in the Hugging Face model, e.g. `model.layers.0.self_attn.q_proj`. */
  readonly module: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Last segment of the path, as `target_modules` lists it. */
  readonly target: string;
  /** True for GPT-2's Conv1D, which PEFT marks `fan_in_fan_out`. */
  readonly fanInFanOut: boolean;
  readonly parts: readonly {
    readonly name: WeightName;
    /** The module's outputs that belong to this weight, in the weight's column order. */
    readonly outputs: Int32Array;
  }[];
}

/** Every linear map of the model inside its blocks, and the unembedding when it is not tied. */
export function peftModules(config: ModelConfig): PeftModule[] {
  const { modules } = familyOf(config);
  return weightTable(config)
    .filter(({ parts }) => parts.every(({ name }) => /\.W_(?!E$|pos$)/.test(name)))
    .filter(({ parts }) => parts.length > 0)
    .map((entry) => {
      const [inputs, outputs] = entry.transposed
        ? [entry.shape[1] as number, entry.shape[0] as number]
        : [entry.shape[0] as number, entry.shape[1] as number];
      const name = checkpointNames(entry, modules)[0] as string;
      const module = name.slice(0, -'.weight'.length);
      return {
        module,
        target: module.slice(module.lastIndexOf('.') + 1),
        inputs,
        outputs,
        fanInFanOut: !entry.transposed,
        parts: entry.parts.map((part) => ({
          name: part.name,
          outputs: outputIndices(part.outputs),
        })),
      };
    });
}
