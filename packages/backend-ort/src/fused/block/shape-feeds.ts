// Sizes and shapes that a block's graph is fed for rows of one kind, and the empty places for cached keys.
import { type OrtValue, ortValue } from '../../native/binding.ts';
import { type BlockPlan, PAST_SLOTS } from './block-plan.ts';

const NOTHING = new Float32Array(0);

/** An int64 vector, the type in which ONNX takes sizes and shapes. */
export function sizes(values: readonly number[]): OrtValue {
  return ortValue('int64', BigInt64Array.from(values.map(BigInt)), [values.length]);
}

/** No values of fp32, of a shape with a zero in it. */
export function nothing(shape: readonly number[]): OrtValue {
  return ortValue('float32', NOTHING, shape);
}

/** What decides them: N = streams * length rows, and whether queries of one key head have an axis of their own. */
export interface RowShape {
  readonly streams: number;
  readonly length: number;
  readonly apart: boolean;
}

/** The last ones of each block: the steps of a decoding all have the same. */
const known = new WeakMap<BlockPlan, { readonly rows: RowShape; readonly feeds: Feeds }>();
type Feeds = Readonly<Record<string, OrtValue>>;

export function shapeFeeds(plan: BlockPlan, rows: RowShape): Feeds {
  const last = known.get(plan);
  if (
    last !== undefined &&
    last.rows.streams === rows.streams &&
    last.rows.length === rows.length &&
    last.rows.apart === rows.apart
  ) {
    return last.feeds;
  }
  const feeds = make(plan, rows);
  known.set(plan, { rows, feeds });
  return feeds;
}

function make(plan: BlockPlan, { streams, length, apart }: RowShape): Feeds {
  const { nHeads, nKvHeads, dHead, inner, gated } = plan;
  const tokens = streams * length;
  const feeds: Record<string, OrtValue> = {
    rows: sizes([tokens]),
    bothShape: sizes([tokens, nHeads + nKvHeads, dHead]),
    queriesShape: sizes([streams, length, nHeads, dHead]),
    keysShape: sizes([streams, length, nKvHeads, dHead]),
    flatShape: sizes([tokens, nHeads * dHead]),
    upShape: sizes([tokens, inner]),
    'sizes.heads': sizes([(nHeads + nKvHeads) * dHead, nKvHeads * dHead, 0, 0, 0]),
    'sizes.up': sizes(gated ? [inner, inner, 0, 0] : [inner, 0]),
  };
  const axis = apart ? [1] : [];
  for (let slot = 0; slot < PAST_SLOTS; slot++) {
    feeds[`k${slot}`] = nothing([streams, nKvHeads, ...axis, 0, dHead]);
    feeds[`v${slot}`] = nothing([streams, nKvHeads, ...axis, 0, dHead]);
  }
  const group = nHeads / nKvHeads;
  if (group > 1) {
    const queries = apart ? [group, length] : [group * length];
    feeds['groupedShape'] = sizes([streams, nKvHeads, ...queries, dHead]);
    feeds['apartShape'] = sizes([streams, nKvHeads, ...axis, length, dHead]);
    feeds['ungroupedShape'] = sizes([streams, nHeads, length, dHead]);
  }
  return feeds;
}
