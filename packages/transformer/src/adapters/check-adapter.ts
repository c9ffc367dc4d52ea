// Refuses adapters whose deltas do not fit the model.
import { SafeInferError } from '@safeinfer/backend';
import type { ModelConfig } from '../config/model-config.ts';
import { weightShapes } from '../config/weight-shapes.ts';
import type { Adapter } from './adapter.ts';

/** Throws BAD_ARGUMENT when a delta names an unknown or unsuitable weight or has the wrong shape. */
export function checkAdapter(name: string, adapter: Adapter, config: ModelConfig): void {
  const shapes = weightShapes(config);
  // A tied model has no W_U of its own, but its unembedding can still be changed for some rows.
  shapes.set('unembed.W_U', [config.dModel, config.vocabSize]);
  for (const [weight, { A, B, scale }] of adapter.deltas) {
    const shape = shapes.get(weight);
    if (shape === undefined || shape.length !== 2 || weight === 'pos_embed.W_pos') {
      throw new SafeInferError(`adapter '${name}' changes '${weight}', which takes no delta`, {
        code: 'BAD_ARGUMENT',
        hint: "use canonical names of matrices, such as 'blocks.0.attn.W_Q'",
      });
    }
    const fits = A.shape[0] === shape[0] && A.shape[1] === B.shape[0] && B.shape[1] === shape[1];
    if (fits && Number.isFinite(scale)) continue;
    throw new SafeInferError(
      `adapter '${name}': '${weight}' is [${shape}], but A is [${A.shape}], B is [${B.shape}], scale ${scale}`,
      { code: 'BAD_ARGUMENT', hint: 'A must be [in, r], B [r, out], and scale finite' },
    );
  }
}
