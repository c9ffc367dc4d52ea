// A forward pass with the padding side chosen: the engine keeps padding internal, so tests reach inside for it.
import type { Row, Transformer } from '@safeinfer/transformer';
import { forward } from '../../transformer/src/model/forward.ts';

export async function paddedLogits(
  model: Transformer,
  rows: readonly Row[],
  side: 'left' | 'right',
): Promise<Float32Array[]> {
  const { config, adapters, weights } = model;
  const sources = { config, adapters, encode: undefined, weight: weights.get.bind(weights) };
  const result = forward(sources, rows, { logits: 'all' }, { side });
  try {
    return await Promise.all(
      rows.map(async (_, i) => (await result.logits(i).data()) as Float32Array),
    );
  } finally {
    result.dispose();
  }
}
