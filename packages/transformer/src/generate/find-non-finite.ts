// Says where in the model a NaN or infinity first appears.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../hooks/hook-name.ts';
import type { Row } from '../model/row.ts';
import type { TextCodec } from '../model/text-codec.ts';
import type { Transformer } from '../model/transformer.ts';

/** The first point, in order of computation, whose value is not finite. */
export interface NonFinite {
  readonly at: HookName;
  /** Undefined for the embedding and the output. */
  readonly layer: number | undefined;
}

/**
 * Runs the row again and looks at what each module adds to the residual stream. Undefined when all of it is
 * finite, the logits included. Costs one forward with captures, so it runs only when something is wrong.
 */
export async function findNonFinite<T extends TextCodec>(
  model: Transformer<T>,
  row: Row,
): Promise<NonFinite | undefined> {
  const layers = Array.from({ length: model.config.nLayers }, (_, layer) => layer);
  const points: HookName[] = [
    'hook_embed',
    ...layers.flatMap((layer): HookName[] => [
      `blocks.${layer}.hook_attn_out`,
      `blocks.${layer}.hook_mlp_out`,
      `blocks.${layer}.hook_resid_post`,
    ]),
    'ln_final.hook_out',
    'unembed.hook_out',
  ];
  const result = model.forward([row], { capture: points, logits: 'none' });
  try {
    for (const at of points) {
      const bad = tf.tidy(() => tf.any(tf.logicalNot(tf.isFinite(result.captured(0, at)))));
      const [flag] = await bad.data();
      bad.dispose();
      if (flag !== 0) {
        const layer = /^blocks\.(\d+)/.exec(at)?.[1];
        return { at, layer: layer === undefined ? undefined : Number(layer) };
      }
    }
    return undefined;
  } finally {
    result.dispose();
  }
}

/** The error for logits of a row that are not finite, naming the layer where it began. */
export async function nonFiniteError<T extends TextCodec>(
  model: Transformer<T>,
  row: Row,
  index: number,
): Promise<SafeInferError> {
  const found = await findNonFinite(model, row);
  const where =
    found === undefined
      ? 'in this step only'
      : `first at '${found.at}'${found.layer === undefined ? '' : ` (layer ${found.layer})`}`;
  return new SafeInferError(`logits of row ${index} are not finite: ${where}`, {
    code: 'NON_FINITE',
    hint: 'check weights, adapters and the strength of interventions at and before that point',
  });
}
