// Elementwise loops over two broadcast operands, with dimensions merged so that the inner loop is long.

/** Sizes of the merged dimensions, outermost first, and each operand's stride in them. */
interface Walk {
  readonly sizes: number[];
  readonly a: number[];
  readonly b: number[];
}

/** out[i] = op(a, b) with numpy's broadcasting of `aShape` and `bShape` to `shape`. */
export function broadcastLoop(options: {
  readonly op: (x: number, y: number) => number;
  readonly a: ArrayLike<number>;
  readonly aShape: readonly number[];
  readonly b: ArrayLike<number>;
  readonly bShape: readonly number[];
  readonly shape: readonly number[];
  readonly out: Float32Array | Int32Array | Uint8Array;
}): void {
  const { op, a, b, out, shape } = options;
  if (out.length === 0) return;
  const walk = mergedWalk(shape, options.aShape, options.bShape);
  const last = walk.sizes.length - 1;
  const length = walk.sizes[last]!;
  const stepA = walk.a[last]!;
  const stepB = walk.b[last]!;
  const index = new Array<number>(last).fill(0);
  let atA = 0;
  let atB = 0;
  for (let at = 0; at < out.length; at += length) {
    for (let i = 0; i < length; i++) out[at + i] = op(a[atA + i * stepA]!, b[atB + i * stepB]!);
    for (let axis = last - 1; axis >= 0; axis--) {
      atA += walk.a[axis]!;
      atB += walk.b[axis]!;
      if (++index[axis]! < walk.sizes[axis]!) break;
      atA -= walk.a[axis]! * walk.sizes[axis]!;
      atB -= walk.b[axis]! * walk.sizes[axis]!;
      index[axis] = 0;
    }
  }
}

function mergedWalk(
  shape: readonly number[],
  aShape: readonly number[],
  bShape: readonly number[],
): Walk {
  const a = strides(aShape, shape.length);
  const b = strides(bShape, shape.length);
  const walk: Walk = { sizes: [], a: [], b: [] };
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis]!;
    if (size === 1) continue;
    const previous = walk.sizes.length - 1;
    const merges =
      previous >= 0 && walk.a[previous] === a[axis]! * size && walk.b[previous] === b[axis]! * size;
    if (merges) {
      walk.sizes[previous]! *= size;
      walk.a[previous] = a[axis]!;
      walk.b[previous] = b[axis]!;
    } else {
      walk.sizes.push(size);
      walk.a.push(a[axis]!);
      walk.b.push(b[axis]!);
    }
  }
  if (walk.sizes.length === 0) return { sizes: [1], a: [0], b: [0] };
  return walk;
}

/** Strides of a row-major operand aligned to the right of `rank` dimensions; 0 where it repeats. */
function strides(shape: readonly number[], rank: number): number[] {
  const out = new Array<number>(rank).fill(0);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1) out[rank - shape.length + axis] = step;
    step *= shape[axis]!;
  }
  return out;
}
