// The weights a configuration has, with their shapes: what a loader must find and a random model must make.
import type { ModelConfig } from './model-config.ts';
import type { BlockWeight, WeightName } from './weight-name.ts';

/** Every weight of the model in canonical order, with its shape. */
export function weightShapes(config: ModelConfig): Map<WeightName, readonly number[]> {
  const { vocabSize, dModel, maxPositions, norm, biases } = config;
  const shapes = new Map<WeightName, readonly number[]>();
  shapes.set('embed.W_E', [vocabSize, dModel]);
  if (config.positions === 'learned') shapes.set('pos_embed.W_pos', [maxPositions, dModel]);
  for (let layer = 0; layer < config.nLayers; layer++) {
    for (const [name, shape] of blockShapes(config)) shapes.set(`blocks.${layer}.${name}`, shape);
  }
  shapes.set('ln_final.w', [dModel]);
  if (norm.kind === 'layer') shapes.set('ln_final.b', [dModel]);
  if (!config.tiedEmbeddings) shapes.set('unembed.W_U', [dModel, vocabSize]);
  if (biases.unembed) shapes.set('unembed.b_U', [vocabSize]);
  return shapes;
}

/** The norms of one block that this layout has. */
export function blockNorms(config: ModelConfig): ('ln1' | 'ln2' | 'ln1_post' | 'ln2_post')[] {
  const { preNorm, postNorm, sharedNorm } = config.block;
  return [
    ...(preNorm ? (['ln1'] as const) : []),
    ...(postNorm ? (['ln1_post'] as const) : []),
    ...(preNorm && !sharedNorm ? (['ln2'] as const) : []),
    ...(postNorm ? (['ln2_post'] as const) : []),
  ];
}

function blockShapes(config: ModelConfig): [BlockWeight, readonly number[]][] {
  const { dModel, dMlp, nHeads, nKvHeads, dHead, norm, attention, biases } = config;
  const query = nHeads * dHead;
  const keyValue = nKvHeads * dHead;
  const shapes: [BlockWeight, readonly number[]][] = [];
  for (const name of blockNorms(config)) {
    shapes.push([`${name}.w`, [dModel]]);
    if (norm.kind === 'layer') shapes.push([`${name}.b`, [dModel]]);
  }
  shapes.push(['attn.W_Q', [dModel, query]]);
  shapes.push(['attn.W_K', [dModel, keyValue]]);
  shapes.push(['attn.W_V', [dModel, keyValue]]);
  shapes.push(['attn.W_O', [query, dModel]]);
  if (biases.qkv) {
    shapes.push(['attn.b_Q', [query]], ['attn.b_K', [keyValue]], ['attn.b_V', [keyValue]]);
  }
  if (biases.attnOut) shapes.push(['attn.b_O', [dModel]]);
  if (attention.qkNorm !== 'none') {
    const full = attention.qkNorm === 'full';
    for (const [name, width] of [
      ['q_norm', full ? query : dHead],
      ['k_norm', full ? keyValue : dHead],
    ] as const) {
      shapes.push([`attn.${name}.w`, [width]]);
      if (attention.qkNormKind === 'layer') shapes.push([`attn.${name}.b`, [width]]);
    }
  }
  if (config.mlp.gated) shapes.push(['mlp.W_gate', [dModel, dMlp]]);
  shapes.push(['mlp.W_in', [dModel, dMlp]], ['mlp.W_out', [dMlp, dModel]]);
  if (biases.mlp) {
    if (config.mlp.gated) shapes.push(['mlp.b_gate', [dMlp]]);
    shapes.push(['mlp.b_in', [dMlp]], ['mlp.b_out', [dModel]]);
  }
  return shapes;
}
