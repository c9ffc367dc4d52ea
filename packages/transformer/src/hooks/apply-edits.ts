// Applies every row's edits of one point in a few tensor operations; parts nobody names keep their bits.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { Layout } from '../model/layout.ts';
import type { PreparedRow } from '../model/prepared-row.ts';
import { applyGroup, type UnitEdit } from './apply-group.ts';
import type { HookName } from './hook-name.ts';
import {
  type FunctionIntervention,
  type HookContext,
  type Intervention,
  isDataIntervention,
} from './intervention.ts';
import { isDense, type MatrixFrame, putMatrix, takeMatrix } from './matrix-rows.ts';
import { selectUnits } from './select-units.ts';

export interface EditRequest {
  readonly name: HookName;
  readonly layer: number | undefined;
  /** Edits of each row that has any, in order. */
  readonly edits: ReadonlyMap<number, readonly Intervention[]>;
  readonly layout: Layout;
  readonly rows: readonly PreparedRow[];
  /** Set for attention matrices [S, h, T, K]; token points are [tokens, ...]. */
  readonly frame: MatrixFrame | undefined;
}

/** The edited activation; `x` itself when nothing changed. Runs inside a tidy. */
export function applyEdits(x: tf.Tensor, request: EditRequest): tf.Tensor {
  const { edits, layout } = request;
  const perStream = layout.streams.map((stream) => edits.get(stream.rows[0] as number) ?? []);
  const rounds = Math.max(...perStream.map((list) => list.length));
  let y = x;
  for (let round = 0; round < rounds; round++) {
    y = applyRound(
      y,
      perStream.map((list) => list[round]),
      request,
    );
  }
  return y;
}

/** At most one edit per stream: they touch different parts, so their order does not matter. */
function applyRound(
  x: tf.Tensor,
  edits: readonly (Intervention | undefined)[],
  request: EditRequest,
): tf.Tensor {
  let y = x;
  const { frame, layout } = request;
  if (frame !== undefined && !isDense(frame)) {
    // Padding differs by row: each row's own matrix is dense, so take it out, edit it, put it back.
    edits.forEach((edit, s) => {
      if (edit === undefined) return;
      const own = takeMatrix(y as tf.Tensor4D, s, frame);
      const edited = isDataIntervention(edit)
        ? editAlone(own, edit, s, request)
        : callFunction(own, edit, s, request);
      if (edited !== own) y = putMatrix(y as tf.Tensor4D, edited as tf.Tensor3D, s, frame);
    });
    return y;
  }
  const data = edits.map((edit) => (edit !== undefined && isDataIntervention(edit) ? edit : null));
  const units = unitsOf(x, frame);
  const groups = new Map<string, UnitEdit[]>();
  data.forEach((intervention, s) => {
    if (intervention === null) return;
    const stream = layout.streams[s] as Layout['streams'][number];
    const selected = selectUnits({
      intervention,
      stream,
      heads: units.heads,
      width: units.width,
      unitOf: (token, head) =>
        frame === undefined
          ? (stream.start + token) * units.heads + head
          : (s * units.heads + head) * layout.longest + token,
    });
    const kind = intervention.op === 'patch' ? 'set' : intervention.op;
    const group = groups.get(kind) ?? [];
    groups.set(kind, group);
    group.push({ intervention, selected });
  });
  for (const group of groups.values()) {
    const flat: tf.Tensor2D = tf.reshape(y, [units.count, units.width]);
    y = tf.reshape(applyGroup(flat, group), x.shape);
  }
  edits.forEach((edit, s) => {
    if (edit !== undefined && !isDataIntervention(edit)) y = editByFunction(y, edit, s, request);
  });
  return y;
}

/** How an activation divides into parts that share one vector. */
function unitsOf(
  x: tf.Tensor,
  frame: MatrixFrame | undefined,
): { readonly count: number; readonly heads: number; readonly width: number } {
  const width = x.shape.at(-1) as number;
  const heads = frame !== undefined || x.rank === 3 ? (x.shape[1] as number) : 1;
  return { count: x.size / width, heads, width };
}

/** A data edit of one row's dense matrix [h, q, k]. */
function editAlone(
  own: tf.Tensor3D,
  intervention: Extract<Intervention, { readonly op: string }>,
  s: number,
  { layout }: EditRequest,
): tf.Tensor3D {
  const [heads, length, width] = own.shape;
  const stream = layout.streams[s] as Layout['streams'][number];
  const selected = selectUnits({
    intervention,
    stream,
    heads,
    width,
    unitOf: (token, head) => head * length + token,
  });
  const flat: tf.Tensor2D = tf.reshape(own, [heads * length, width]);
  return tf.reshape(applyGroup(flat, [{ intervention, selected }]), own.shape);
}

function editByFunction(
  x: tf.Tensor,
  edit: FunctionIntervention,
  s: number,
  request: EditRequest,
): tf.Tensor {
  const { layout, frame } = request;
  if (frame !== undefined) {
    const own = takeMatrix(x as tf.Tensor4D, s, frame);
    const edited = callFunction(own, edit, s, request);
    return edited === own ? x : putMatrix(x as tf.Tensor4D, edited as tf.Tensor3D, s, frame);
  }
  const { start, length } = layout.streams[s] as Layout['streams'][number];
  const whole = length === layout.tokens;
  const own = whole ? x : tf.slice(x, [start], [length]);
  const edited = callFunction(own, edit, s, request);
  if (edited === own) return x;
  if (whole) return edited;
  const parts = [edited];
  if (start > 0) parts.unshift(tf.slice(x, [0], [start]));
  if (start + length < layout.tokens) parts.push(tf.slice(x, [start + length], [-1]));
  return tf.concat(parts, 0);
}

/** Calls the function and checks what it returned; `own` itself when it left the value. */
function callFunction(
  own: tf.Tensor,
  edit: FunctionIntervention,
  s: number,
  { name, layer, layout, rows }: EditRequest,
): tf.Tensor {
  const stream = layout.streams[s] as Layout['streams'][number];
  const row = rows[stream.rows[0] as number] as PreparedRow;
  const context: HookContext = {
    name,
    layer,
    during: row.phase,
    positions: Array.from({ length: stream.length }, (_, i) => stream.first + i),
    row: row.index,
  };
  const result: unknown = edit.apply(own, context);
  if (result === undefined || result === own) return own;
  if (!isTensor(result)) {
    const promised = result instanceof Promise;
    if (promised) result.catch(() => {});
    throw new SafeInferError(
      `the function at '${name}' returned ${promised ? 'a promise' : typeof result}`,
      {
        code: 'HOOK_RESULT',
        hint: promised
          ? 'hooks are synchronous: read values from captures after the pass'
          : 'return a tensor of the same shape, or nothing to leave the value',
      },
    );
  }
  const same =
    result.rank === own.rank && result.shape.every((size, axis) => size === own.shape[axis]);
  if (!same || result.dtype !== own.dtype) {
    throw new SafeInferError(
      `the function at '${name}' was given ${own.dtype} [${own.shape}] ` +
        `and returned ${result.dtype} [${result.shape}]`,
      { code: 'HOOK_RESULT', hint: 'return a tensor of the same shape and dtype' },
    );
  }
  return result.dataId === own.dataId ? own : result;
}

function isTensor(value: unknown): value is tf.Tensor {
  return value instanceof tf.Tensor;
}
