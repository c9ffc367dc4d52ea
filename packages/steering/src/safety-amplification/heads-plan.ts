// Distributed injection: every chosen head gets its own mean output added, at its own layer.
import type { AddOperation } from '../plan/operation.ts';
import { type HeadOutputs, headOutput } from './head-outputs.ts';
import { distinctHeads, type HeadRef } from './head-vector.ts';

/**
 * `head_out[l, h] += strength x mean[l, h]` at the last token of every pass, for each head (arXiv 2606.05079: beats
 * the summed vector at one layer). Repeated heads count once.
 */
export function headsPlan(options: {
  readonly means: HeadOutputs;
  readonly heads: readonly HeadRef[];
  readonly strength: number;
}): AddOperation[] {
  const { means, heads, strength } = options;
  return distinctHeads(heads).map(({ layer, head }) => ({
    op: 'add',
    point: 'attn.hook_z',
    layer,
    head,
    vector: Float32Array.from(headOutput(means, layer, head)),
    strength,
    positions: 'last',
    label: 'head-mean',
  }));
}
