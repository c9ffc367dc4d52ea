// Which parts of an activation an intervention changes: token (or query) by head, as flat indices.
import { SafeInferError } from '@safeinfer/backend';
import type { Stream } from '../model/layout.ts';
import type { DataIntervention } from './intervention.ts';

/** One changed part: `unit` indexes [tokens, heads] (or [streams, heads, queries]), `source` its numbers. */
export interface Selected {
  readonly unit: number;
  /** Offset of its numbers in the intervention's values. */
  readonly source: number;
}

/** Tokens of this pass, counted from the stream's first one, with their place in the `positions` list. */
export function selectTokens(
  intervention: DataIntervention,
  stream: Stream,
): { readonly token: number; readonly place: number }[] {
  const { positions = 'all', at } = intervention;
  const { first, length } = stream;
  if (positions === 'all') {
    return Array.from({ length }, (_, token) => ({ token, place: token }));
  }
  if (positions === 'last') return [{ token: length - 1, place: 0 }];
  const selected: { token: number; place: number }[] = [];
  positions.forEach((position, place) => {
    const absolute = position < 0 ? first + length + position : position;
    // A row without a cache is complete: a position outside it can never come.
    if (absolute < 0 || (first === 0 && absolute >= length && stream.complete)) {
      throw new SafeInferError(
        `intervention at '${at}': position ${position} in a row of ${first + length} tokens`,
        { code: 'BAD_ARGUMENT', hint: `use positions ${-(first + length)} to ${length - 1}` },
      );
    }
    const token = absolute - first;
    if (token >= 0 && token < length) selected.push({ token, place });
  });
  return selected;
}

/** Units of one stream that the intervention changes. */
export function selectUnits(options: {
  readonly intervention: DataIntervention;
  readonly stream: Stream;
  /** Size of the point's head axis; 1 when it has none. */
  readonly heads: number;
  /** Numbers per unit. */
  readonly width: number;
  readonly unitOf: (token: number, head: number) => number;
}): Selected[] {
  const { intervention, stream, heads, width, unitOf } = options;
  const list =
    heads === 1 ? [0] : (intervention.heads ?? Array.from({ length: heads }, (_, head) => head));
  const tokens = selectTokens(intervention, stream);
  checkValues(intervention, { stream, heads: list.length, width });
  return tokens.flatMap(({ token, place }) =>
    list.map((head, j) => ({
      unit: unitOf(token, head),
      source: sourceOf(intervention, { place, head: j, heads: list.length, width }),
    })),
  );
}

function sourceOf(
  intervention: DataIntervention,
  at: {
    readonly place: number;
    readonly head: number;
    readonly heads: number;
    readonly width: number;
  },
): number {
  if (intervention.op === 'patch') return (at.place * at.heads + at.head) * at.width;
  if (!('vector' in intervention)) return 0;
  return intervention.vector.length === at.width ? 0 : at.head * at.width;
}

/** Lengths that depend on the pass: patches, and vectors over the keys of an attention matrix. */
function checkValues(
  intervention: DataIntervention,
  sizes: { readonly stream: Stream; readonly heads: number; readonly width: number },
): void {
  const { stream, heads, width } = sizes;
  const { positions = 'all', at } = intervention;
  const places = positions === 'all' ? stream.length : positions === 'last' ? 1 : positions.length;
  if (intervention.op === 'patch' && intervention.values.length !== places * heads * width) {
    throw new SafeInferError(
      `patch at '${at}' has ${intervention.values.length} numbers, not ${places} positions x ` +
        `${heads > 1 ? `${heads} heads x ` : ''}${width}`,
      { code: 'BAD_ARGUMENT', hint: 'values are [positions, ...point], row-major' },
    );
  }
  if ('vector' in intervention) {
    const { length } = intervention.vector;
    if (length === width || length === heads * width) return;
    throw new SafeInferError(
      `intervention at '${at}' has a vector of ${length} numbers for a width of ${width}`,
      { code: 'BAD_ARGUMENT', hint: 'a vector on an attention matrix covers the keys of the row' },
    );
  }
}
