// Mean head outputs at the last prompt token: what every attention head says when it has just read demonstrations.
import type { HookName, Transformer } from '@safeinfer/transformer';
import { nextTurn } from '../next-turn.ts';
import type { SteeringProgress } from '../progress.ts';

/** One vector of dHead numbers a head, float64 sums: `at(layer, head)`. */
export interface HeadOutputs {
  readonly layers: number;
  readonly heads: number;
  readonly dHead: number;
  /** Row-major [layers, heads, dHead]. */
  readonly values: Float64Array;
}

export function headOutput(outputs: HeadOutputs, layer: number, head: number): Float64Array {
  const start = (layer * outputs.heads + head) * outputs.dHead;
  return outputs.values.subarray(start, start + outputs.dHead);
}

/**
 * Mean over prompts of `attn.hook_z` (the input of o_proj) at the last token, for every layer and head
 * (SafeInfer Eq. 1; Todd et al. 2023, section 3). Prompts run as rows of one forward pass, `batchSize` at a time.
 */
export async function meanHeadOutputs(options: {
  readonly model: Transformer;
  readonly prompts: readonly (readonly number[])[];
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SteeringProgress) => void) | undefined;
}): Promise<HeadOutputs> {
  const { model, prompts, batchSize = 8, signal, onProgress } = options;
  const { nLayers, nHeads, dHead } = model.config;
  const names = Array.from(
    { length: nLayers },
    (_, layer): HookName => `blocks.${layer}.attn.hook_z`,
  );
  const values = new Float64Array(nLayers * nHeads * dHead);
  for (let start = 0; start < prompts.length; start += batchSize) {
    await nextTurn(signal);
    const batch = prompts.slice(start, start + batchSize);
    const result = model.forward(
      batch.map((tokens) => ({ tokens })),
      { capture: names, capturePositions: [-1], logits: 'none' },
    );
    try {
      for (let row = 0; row < batch.length; row += 1) {
        for (let layer = 0; layer < nLayers; layer += 1) {
          const z = await result.captured(row, names[layer]!).data();
          const base = layer * nHeads * dHead;
          for (let i = 0; i < nHeads * dHead; i += 1) values[base + i]! += z[i]! / prompts.length;
        }
      }
    } finally {
      result.dispose();
    }
    onProgress?.({ phase: 'mean head outputs', done: start + batch.length, total: prompts.length });
  }
  return { layers: nLayers, heads: nHeads, dHead, values };
}
