// Moves values between a checkpoint tensor and the canonical weights inside it.
import type { TableEntry, TablePart } from './weight-table.ts';

/** Edge of the square tiles of a transposition: two tiles of float32 fit a first-level cache. */
const tile = 32;

/** Takes one canonical weight out of a stored tensor. */
export function decodePart(entry: TableEntry, part: TablePart, stored: Float32Array): Float32Array {
  const { start, width, stride, groups } = part.outputs;
  const outputs = width * groups;
  if (part.shape.length === 1 || entry.parts.length === 1) {
    if (entry.parts.length === 1) {
      return entry.transposed ? transpose(stored, entry.shape[0] as number) : stored;
    }
    const values = new Float32Array(outputs);
    for (let group = 0; group < groups; group++) {
      const from = start + group * stride;
      values.set(stored.subarray(from, from + width), group * width);
    }
    return values;
  }
  const inputs = part.shape[0] as number;
  if (!entry.transposed) {
    const total = entry.shape[1] as number;
    const values = new Float32Array(inputs * outputs);
    for (let row = 0; row < inputs; row++) {
      for (let group = 0; group < groups; group++) {
        const from = row * total + start + group * stride;
        values.set(stored.subarray(from, from + width), row * outputs + group * width);
      }
    }
    return values;
  }
  // Rows of [out, in] belonging to this part, one after the other, then turned.
  const rows = new Float32Array(outputs * inputs);
  for (let group = 0; group < groups; group++) {
    const from = (start + group * stride) * inputs;
    rows.set(stored.subarray(from, from + width * inputs), group * width * inputs);
  }
  return transpose(rows, outputs);
}

/** The inverse: writes canonical values into a stored tensor. */
export function encodePart(options: {
  readonly entry: TableEntry;
  readonly part: TablePart;
  readonly values: Float32Array;
  readonly stored: Float32Array;
}): void {
  const { entry, part, values, stored } = options;
  const { start, width, stride, groups } = part.outputs;
  const outputs = width * groups;
  if (part.shape.length === 1 || !entry.transposed) {
    const inputs = part.shape.length === 1 ? 1 : (part.shape[0] as number);
    const total = entry.shape[entry.shape.length - 1] as number;
    for (let row = 0; row < inputs; row++) {
      for (let group = 0; group < groups; group++) {
        const from = row * outputs + group * width;
        stored.set(values.subarray(from, from + width), row * total + start + group * stride);
      }
    }
    return;
  }
  const inputs = part.shape[0] as number;
  const rows = transpose(values, inputs);
  for (let group = 0; group < groups; group++) {
    const from = group * width * inputs;
    stored.set(rows.subarray(from, from + width * inputs), (start + group * stride) * inputs);
  }
}

/** [rows, columns] to [columns, rows], tile by tile. */
function transpose(values: Float32Array, rows: number): Float32Array {
  const columns = rows === 0 ? 0 : values.length / rows;
  const turned = new Float32Array(values.length);
  for (let row0 = 0; row0 < rows; row0 += tile) {
    const row1 = Math.min(row0 + tile, rows);
    for (let column0 = 0; column0 < columns; column0 += tile) {
      const column1 = Math.min(column0 + tile, columns);
      for (let row = row0; row < row1; row++) {
        for (let column = column0; column < column1; column++) {
          turned[column * rows + row] = values[row * columns + column] as number;
        }
      }
    }
  }
  return turned;
}
