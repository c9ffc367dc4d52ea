// Every readable and editable activation as one table: names, shapes, and why an architecture may lack one.
import type { ModelConfig } from '../config/model-config.ts';
import type { BlockPoint, GlobalPoint, HookName, NormPoint } from './hook-name.ts';

/**
 * Axes of a captured activation of one row: p its tokens, q and k query and key tokens, h and kv heads,
 * e head width, D model width, m MLP width, V vocabulary, 1 a kept axis.
 */
export type Axis = 'p' | 'q' | 'k' | 'h' | 'kv' | 'e' | 'D' | 'm' | 'V' | '1';

export interface PointInfo<P extends string = BlockPoint | GlobalPoint> {
  readonly point: P;
  /** Shape of one row. Points with `h` or `kv` accept `heads` in an intervention. */
  readonly axes: readonly Axis[];
  readonly about: string;
  /** Why this architecture lacks the point, or undefined when it has it. */
  readonly absent: (config: ModelConfig) => string | undefined;
}

const always = (): undefined => undefined;
const noRotary = (config: ModelConfig): string | undefined =>
  config.positions === 'learned' ? 'positions are learned, not rotary' : undefined;
const noQkNorm = (config: ModelConfig): string | undefined =>
  config.attention.qkNorm === 'none' ? 'queries and keys are not normalised' : undefined;
const noPreNorm = (config: ModelConfig): string | undefined =>
  config.block.preNorm ? undefined : 'norms come after the modules here: see ln1_post and ln2_post';
const noPostNorm = (config: ModelConfig): string | undefined =>
  config.block.postNorm ? undefined : 'no norm follows the modules in this architecture';
const noSecondNorm = (config: ModelConfig): string | undefined =>
  noPreNorm(config) ??
  (config.block.sharedNorm ? 'attention and MLP share one norm: see ln1' : undefined);
const noMid = (config: ModelConfig): string | undefined =>
  config.block.layout === 'parallel'
    ? 'attention and MLP run in parallel: nothing lies between them'
    : undefined;
const noGate = (config: ModelConfig): string | undefined =>
  config.mlp.gated ? undefined : 'the MLP is not gated: see mlp.hook_pre';
const groupedHeads = (config: ModelConfig): string | undefined =>
  config.nHeads === config.nKvHeads
    ? undefined
    : 'query heads share key heads: see hook_q_input, hook_k_input and hook_v_input';

function norm(
  point: NormPoint,
  absent: (config: ModelConfig) => string | undefined,
): PointInfo<BlockPoint>[] {
  return [
    { point: `${point}.hook_scale`, axes: ['p', '1'], about: 'denominator of the norm', absent },
    {
      point: `${point}.hook_normalized`,
      axes: ['p', 'D'],
      about: 'normalised, before gain and bias',
      absent,
    },
    { point: `${point}.hook_out`, axes: ['p', 'D'], about: 'after gain and bias', absent },
  ];
}

function headNorm(point: 'q_norm' | 'k_norm', heads: 'h' | 'kv'): PointInfo<BlockPoint>[] {
  return [
    {
      point: `attn.${point}.hook_scale`,
      axes: ['p', heads, '1'],
      about: 'denominator of the norm (one for all heads in OLMo-2)',
      absent: noQkNorm,
    },
    {
      point: `attn.${point}.hook_normalized`,
      axes: ['p', heads, 'e'],
      about: 'normalised, before the gain',
      absent: noQkNorm,
    },
    {
      point: `attn.${point}.hook_out`,
      axes: ['p', heads, 'e'],
      about: 'after the gain, before rotary',
      absent: noQkNorm,
    },
  ];
}

/** Points before the MLP runs, in order of computation. */
const ATTENTION_HALF: readonly PointInfo<BlockPoint>[] = [
  { point: 'hook_resid_pre', axes: ['p', 'D'], about: 'input of the block', absent: always },
  {
    point: 'hook_attn_in',
    axes: ['p', 'h', 'D'],
    about: 'residual stream each head reads, before the norm',
    absent: groupedHeads,
  },
  {
    point: 'hook_q_input',
    axes: ['p', 'h', 'D'],
    about: 'residual stream each query head reads, before the norm',
    absent: always,
  },
  {
    point: 'hook_k_input',
    axes: ['p', 'kv', 'D'],
    about: 'residual stream each key head reads, before the norm',
    absent: always,
  },
  {
    point: 'hook_v_input',
    axes: ['p', 'kv', 'D'],
    about: 'residual stream each value head reads, before the norm',
    absent: always,
  },
  ...norm('ln1', noPreNorm),
  { point: 'attn.hook_q', axes: ['p', 'h', 'e'], about: 'queries after the bias', absent: always },
  { point: 'attn.hook_k', axes: ['p', 'kv', 'e'], about: 'keys after the bias', absent: always },
  { point: 'attn.hook_v', axes: ['p', 'kv', 'e'], about: 'values after the bias', absent: always },
  ...headNorm('q_norm', 'h'),
  ...headNorm('k_norm', 'kv'),
  { point: 'attn.hook_rot_q', axes: ['p', 'h', 'e'], about: 'rotated queries', absent: noRotary },
  { point: 'attn.hook_rot_k', axes: ['p', 'kv', 'e'], about: 'rotated keys', absent: noRotary },
  {
    point: 'attn.hook_attn_scores',
    axes: ['h', 'q', 'k'],
    about: 'scaled and masked, before softmax',
    absent: always,
  },
  { point: 'attn.hook_pattern', axes: ['h', 'q', 'k'], about: 'after softmax', absent: always },
  {
    point: 'attn.hook_z',
    axes: ['p', 'h', 'e'],
    about: 'pattern . v, the input of the output projection',
    absent: always,
  },
  {
    point: 'attn.hook_result',
    axes: ['p', 'h', 'D'],
    about: 'output of each head, without the output bias',
    absent: always,
  },
  {
    point: 'hook_attn_out_raw',
    axes: ['p', 'D'],
    about: "the attention module's own output, before a post-norm",
    absent: always,
  },
  ...norm('ln1_post', noPostNorm),
  {
    point: 'hook_attn_out',
    axes: ['p', 'D'],
    about: 'what attention adds to the residual stream',
    absent: always,
  },
  {
    point: 'hook_resid_mid',
    axes: ['p', 'D'],
    about: 'residual stream after attention',
    absent: noMid,
  },
];

/** Points from the MLP on. */
const MLP_HALF: readonly PointInfo<BlockPoint>[] = [
  {
    point: 'hook_mlp_in',
    axes: ['p', 'D'],
    about: 'residual stream the MLP reads, before its norm',
    absent: always,
  },
  ...norm('ln2', noSecondNorm),
  {
    point: 'mlp.hook_pre',
    axes: ['p', 'm'],
    about: 'pre-activation (the gate branch in gated MLPs)',
    absent: always,
  },
  {
    point: 'mlp.hook_pre_linear',
    axes: ['p', 'm'],
    about: 'the up branch of a gated MLP',
    absent: noGate,
  },
  {
    point: 'mlp.hook_post',
    axes: ['p', 'm'],
    about: 'what the down projection reads',
    absent: always,
  },
  {
    point: 'hook_mlp_out_raw',
    axes: ['p', 'D'],
    about: "the MLP module's own output, before a post-norm",
    absent: always,
  },
  ...norm('ln2_post', noPostNorm),
  {
    point: 'hook_mlp_out',
    axes: ['p', 'D'],
    about: 'what the MLP adds to the residual stream',
    absent: always,
  },
  { point: 'hook_resid_post', axes: ['p', 'D'], about: 'output of the block', absent: always },
];

/** Points of every block, in order of computation. */
export const BLOCK_POINTS: readonly PointInfo<BlockPoint>[] = [...ATTENTION_HALF, ...MLP_HALF];

/** Points before the first block, in order. */
export const INPUT_POINTS: readonly PointInfo<GlobalPoint>[] = [
  { point: 'hook_embed', axes: ['p', 'D'], about: 'token embedding, scaled', absent: always },
  {
    point: 'hook_pos_embed',
    axes: ['p', 'D'],
    about: 'learned position embedding',
    absent: (config) =>
      config.positions === 'rotary'
        ? 'positions are rotary: they enter at attn.hook_rot_q and attn.hook_rot_k'
        : undefined,
  },
];

/** Points after the last block, in order. */
export const OUTPUT_POINTS: readonly PointInfo<GlobalPoint>[] = [
  {
    point: 'ln_final.hook_scale',
    axes: ['p', '1'],
    about: 'denominator of the final norm',
    absent: always,
  },
  {
    point: 'ln_final.hook_normalized',
    axes: ['p', 'D'],
    about: 'normalised, before gain and bias',
    absent: always,
  },
  { point: 'ln_final.hook_out', axes: ['p', 'D'], about: 'after gain and bias', absent: always },
  {
    point: 'unembed.hook_in',
    axes: ['p', 'D'],
    about: 'what the unembedding reads',
    absent: always,
  },
  {
    point: 'unembed.hook_out',
    axes: ['p', 'V'],
    about: 'logits, after a final soft-cap',
    absent: always,
  },
];

const BY_POINT: ReadonlyMap<string, PointInfo> = new Map(
  [...INPUT_POINTS, ...BLOCK_POINTS, ...OUTPUT_POINTS].map((info) => [info.point, info]),
);

/** A hook name taken apart: `layer` is undefined outside blocks. */
export interface ParsedHook {
  readonly info: PointInfo;
  readonly layer: number | undefined;
}

/** Splits a name; undefined when no such point exists in any architecture. The layer is not range-checked. */
export function parseHookName(name: string): ParsedHook | undefined {
  const match = /^blocks\.(\d+)\.(.+)$/.exec(name);
  const info = BY_POINT.get(match === null ? name : (match[2] as string));
  if (info === undefined || BLOCK_POINTS.some((block) => block === info) !== (match !== null)) {
    return undefined;
  }
  return { info, layer: match === null ? undefined : Number(match[1]) };
}

/** Every point this architecture has, in order of computation. */
export function hookNames(config: ModelConfig): HookName[] {
  const present = <P extends string>(infos: readonly PointInfo<P>[]): P[] =>
    infos.filter((info) => info.absent(config) === undefined).map((info) => info.point);
  const block = present(BLOCK_POINTS);
  return [
    ...present(INPUT_POINTS),
    ...Array.from({ length: config.nLayers }, (_, layer) =>
      block.map((point): HookName => `blocks.${layer}.${point}`),
    ).flat(),
    ...present(OUTPUT_POINTS),
  ];
}

/** Place in the order of computation: larger runs later. Within a block, halves count as one step each. */
export function stepOf({ info, layer }: ParsedHook, config: ModelConfig): number {
  if (layer !== undefined) {
    return 1 + 2 * layer + (MLP_HALF.some((point) => point === info) ? 1 : 0);
  }
  return INPUT_POINTS.some((point) => point === info) ? 0 : 1 + 2 * config.nLayers;
}
