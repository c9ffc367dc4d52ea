// The correspondence between canonical weights and the tensors of a checkpoint, both ways.
import { SafeInferError } from '@safeinfer/backend';
import type { ModelConfig } from '../config/model-config.ts';
import type { BlockWeight, WeightName } from '../config/weight-name.ts';
import { weightShapes } from '../config/weight-shapes.ts';
import type { FamilyModules, ModuleRule, Projection } from './family.ts';
import { familyOf } from './registry.ts';

/** One canonical weight inside a checkpoint tensor. */
export interface TablePart {
  readonly name: WeightName;
  /** Canonical shape: [in, out] or [n]. */
  readonly shape: readonly number[];
  /** Which outputs of the module belong to it, in order. */
  readonly outputs: Outputs;
}

/** Outputs `start + group * stride + i`, i < width, for each group: one block, or one run a head (NeoX). */
export interface Outputs {
  readonly start: number;
  readonly width: number;
  readonly stride: number;
  readonly groups: number;
}

/** One tensor of a checkpoint. */
export interface TableEntry {
  /** Name below the root (`layers.0.mlp.up_proj.weight`), or one of `fullNames` outside the body. */
  readonly path: string;
  /** For tensors outside the body: every name they may have; the first is written. */
  readonly fullNames?: readonly string[];
  readonly shape: readonly number[];
  /** True when the matrix lies [out, in] in the file. */
  readonly transposed: boolean;
  readonly parts: readonly TablePart[];
}

/** Every tensor a checkpoint of this config must hold. */
export function weightTable(config: ModelConfig): TableEntry[] {
  const { modules } = familyOf(config);
  const shapes = weightShapes(config);
  const entries: TableEntry[] = [];
  const whole = (path: string, name: WeightName, options?: Partial<TableEntry>): void => {
    const shape = shapes.get(name);
    if (shape === undefined) return;
    shapes.delete(name);
    const outputs = block(0, shape[shape.length - 1] as number);
    const stored = options?.transposed ? [...shape].reverse() : shape;
    entries.push({
      path,
      shape: stored,
      transposed: false,
      parts: [{ name, shape, outputs }],
      ...options,
    });
  };
  whole(`${modules.embed}.weight`, 'embed.W_E');
  whole(`${modules.posEmbed}.weight`, 'pos_embed.W_pos');
  for (let layer = 0; layer < config.nLayers; layer++) {
    for (const rule of modules.block) {
      const path = `${modules.blocks}.${layer}.${rule.module}`;
      const name = <N extends BlockWeight>(weight: N): WeightName => `blocks.${layer}.${weight}`;
      if (rule.kind === 'norm') {
        whole(`${path}.weight`, name(`${rule.holds}.w`));
        whole(`${path}.bias`, name(`${rule.holds}.b`));
      } else {
        entries.push(...fused(rule, { path, config, shapes, name }));
      }
    }
  }
  whole(`${modules.finalNorm}.weight`, 'ln_final.w');
  whole(`${modules.finalNorm}.bias`, 'ln_final.b');
  const head = (suffix: string): Partial<TableEntry> => ({
    fullNames: modules.heads.map((path) => `${path}.${suffix}`),
  });
  const [firstHead = ''] = modules.heads;
  whole(`${firstHead}.weight`, 'unembed.W_U', { ...head('weight'), transposed: true });
  whole(`${firstHead}.bias`, 'unembed.b_U', head('bias'));
  refuseLeftOver(config, shapes);
  return entries;
}

function refuseLeftOver(
  config: ModelConfig,
  left: ReadonlyMap<WeightName, readonly number[]>,
): void {
  if (left.size === 0) return;
  const names = [...left.keys()];
  throw new SafeInferError(
    `checkpoints of family ${config.family} have no place for ${names.slice(0, 5).join(', ')}` +
      (names.length > 5 ? ` and ${names.length - 5} more` : ''),
    {
      code: 'UNSUPPORTED',
      hint: 'folding norms can add biases that the family lacks: save the model before processing it',
    },
  );
}

interface Place {
  readonly path: string;
  readonly config: ModelConfig;
  readonly shapes: Map<WeightName, readonly number[]>;
  readonly name: (weight: BlockWeight) => WeightName;
}

/** Weight and bias of a linear module, which may hold several projections. */
function fused(rule: Extract<ModuleRule, { kind: 'linear' }>, place: Place): TableEntry[] {
  const { path, config, shapes, name } = place;
  const weights = rule.holds.map((projection) => name(matrixOf(projection)));
  const widths = weights.map((weight) => shapes.get(weight)?.[1] ?? 0);
  const outputs = outputsOf(rule, widths, config);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const inputs = shapes.get(weights[0] as WeightName)?.[0] ?? 0;
  const take = (names: readonly WeightName[]): TablePart[] =>
    names.flatMap((weight, i) => {
      const shape = shapes.get(weight);
      shapes.delete(weight);
      return shape === undefined ? [] : [{ name: weight, shape, outputs: outputs[i] as Outputs }];
    });
  const transposed = rule.stored === 'out-in';
  const entries: TableEntry[] = [
    {
      path: `${path}.weight`,
      shape: transposed ? [total, inputs] : [inputs, total],
      transposed,
      parts: take(weights),
    },
  ];
  const biases = take(rule.holds.map((projection) => name(biasOf(projection))));
  if (biases.length > 0) {
    entries.push({ path: `${path}.bias`, shape: [total], transposed: false, parts: biases });
  }
  return entries;
}

function outputsOf(
  rule: Extract<ModuleRule, { kind: 'linear' }>,
  widths: readonly number[],
  config: ModelConfig,
): Outputs[] {
  if (rule.fused === 'heads') {
    const stride = config.dHead * widths.length;
    return widths.map((_, i) => ({
      start: i * config.dHead,
      width: config.dHead,
      stride,
      groups: config.nHeads,
    }));
  }
  let start = 0;
  return widths.map((width) => {
    const outputs = block(start, width);
    start += width;
    return outputs;
  });
}

function block(start: number, width: number): Outputs {
  return { start, width, stride: width, groups: 1 };
}

/** Output indices one after the other. */
export function outputIndices({ start, width, stride, groups }: Outputs): Int32Array {
  return Int32Array.from(
    { length: width * groups },
    (_, i) => start + Math.floor(i / width) * stride + (i % width),
  );
}

function matrixOf(projection: Projection): BlockWeight {
  return projection.replace('.', '.W_') as BlockWeight;
}

function biasOf(projection: Projection): BlockWeight {
  return projection.replace('.', '.b_') as BlockWeight;
}

/** Names of a tensor in a checkpoint, most likely first. */
export function checkpointNames(entry: TableEntry, modules: FamilyModules): readonly string[] {
  return entry.fullNames ?? modules.roots.map((root) => root + entry.path);
}
