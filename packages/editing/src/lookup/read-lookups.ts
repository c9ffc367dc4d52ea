// Activations at the lookup token of many rows: keys, outputs, residual streams.
import type { HookName, Transformer } from '@safeinfer/transformer';
import type { LocatedPrompt } from '../request/lookup-index.ts';

/** Rows of one pass: bounds memory when a batch has hundreds of edits. */
const ROWS_PER_PASS = 64;

/** For each point, each row's activation at its lookup token, as float64. Tokens behind it are not run. */
export async function readLookups<const P extends readonly HookName[]>(options: {
  readonly model: Transformer;
  readonly rows: readonly LocatedPrompt[];
  readonly points: P;
}): Promise<{ readonly [K in keyof P]: Float64Array[] }> {
  const { model, rows, points } = options;
  const read: Float64Array[][] = points.map(() => []);
  for (let start = 0; start < rows.length; start += ROWS_PER_PASS) {
    const part = rows.slice(start, start + ROWS_PER_PASS);
    using result = model.forward(
      part.map(({ tokens, lookup }) => ({ tokens: tokens.slice(0, lookup + 1) })),
      { capture: points, capturePositions: [-1], logits: 'none' },
    );
    for (const row of part.keys()) {
      for (const [p, point] of points.entries()) {
        read[p]!.push(Float64Array.from(await result.captured(row, point).data()));
      }
    }
  }
  return read as { readonly [K in keyof P]: Float64Array[] };
}
