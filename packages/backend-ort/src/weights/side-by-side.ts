// Matrices of equally many rows as the columns of one.

/** Puts rows `first` to `first + count` of matrices with so many `columns` beside each other, at the start of `out`. */
export function putBeside(options: {
  readonly values: readonly Float32Array[];
  readonly columns: readonly number[];
  readonly first: number;
  readonly count: number;
  readonly out: Float32Array;
}): void {
  const { values, columns, first, count, out } = options;
  const total = columns.reduce((sum, width) => sum + width, 0);
  let start = 0;
  values.forEach((own, i) => {
    const width = columns[i]!;
    for (let row = 0; row < count; row++) {
      const from = (first + row) * width;
      out.set(own.subarray(from, from + width), row * total + start);
    }
    start += width;
  });
}

/** Values of a piece at most, or one row: whole copies of matrices would leave holes in the C library's heap. */
const PIECE = 2 ** 18;

/** Matrices of `inner` rows as the columns of one, row by row; a piece is overwritten by the next. */
export function* sideBySide(
  values: readonly Float32Array[],
  inner: number,
): Iterable<Float32Array> {
  if (values.length === 1) {
    yield values[0]!;
    return;
  }
  const columns = values.map(({ length }) => length / inner);
  const total = columns.reduce((sum, count) => sum + count, 0);
  const rows = Math.max(1, Math.floor(PIECE / total));
  const piece = new Float32Array(rows * total);
  for (let first = 0; first < inner; first += rows) {
    const count = Math.min(rows, inner - first);
    putBeside({ values, columns, first, count, out: piece });
    yield piece.subarray(0, count * total);
  }
}
