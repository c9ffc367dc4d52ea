// Rotary tables of the tokens of a pass, made once per pass and kind of rotation.
import * as tf from '@tensorflow/tfjs-core';
import type { RotaryConfig } from '../config/model-config.ts';
import { dependsOnLength, type RopeTable, ropeTable, ropeTableKey } from '../config/rope-table.ts';
import { pairMatrix, type RopeTensors, spreadPairs } from '../ops/rope.ts';
import type { Pass } from './pass.ts';

interface CachedTable {
  readonly length: number;
  readonly table: RopeTable;
}

const texts = new WeakMap<RotaryConfig, string>();
const tables = new Map<string, CachedTable>();

/** Bound on cached tables: dynamic scaling has one per length. */
const MAX_TABLES = 16;

/** Cosines and sines of every token in the pass's current layout. */
export function ropeTensors(pass: Pass, rotary: RotaryConfig): RopeTensors {
  const text = textOf(rotary);
  const { dHead } = pass.config;
  const pairs = pass.memo(`pairs${text}`, () =>
    tf.tensor2d(pairMatrix(rotary, dHead), [dHead, dHead]),
  );
  const make = (side: 'cos' | 'sin') => (): tf.Tensor3D => {
    const { streams, tokens } = pass.layout;
    // Dims that do not rotate keep their value: cosine 1, sine 0.
    const out = new Float32Array(tokens * dHead).fill(side === 'cos' ? 1 : 0);
    for (const stream of streams) {
      const end = stream.first + stream.length;
      const values = tableFor(rotary, end)[side];
      const half = rotary.dim / 2;
      for (let i = 0; i < stream.length; i++) {
        const position = stream.first + i;
        spreadPairs({
          rotary,
          half: values.subarray(position * half, (position + 1) * half),
          out,
          offset: (stream.start + i) * dHead,
        });
      }
    }
    return tf.tensor3d(out, [tokens, 1, dHead]);
  };
  return {
    pairs,
    cos: pass.memo(`cos${text}`, make('cos')),
    sin: pass.memo(`sin${text}`, make('sin')),
  };
}

/** A table that covers positions below `end`, for a row of that length. */
function tableFor(rotary: RotaryConfig, end: number): RopeTable {
  const key = `${textOf(rotary)}@${ropeTableKey(rotary, end)}`;
  const known = tables.get(key);
  if (known !== undefined && known.length >= end) return known.table;
  // Doubling keeps the cost per position constant while a row grows.
  const length = dependsOnLength(rotary) ? end : Math.max(256, 2 ** Math.ceil(Math.log2(end)));
  const table = ropeTable({ rotary, length, sequenceLength: end });
  if (tables.size >= MAX_TABLES) tables.delete(tables.keys().next().value as string);
  tables.set(key, { length, table });
  return table;
}

function textOf(rotary: RotaryConfig): string {
  let text = texts.get(rotary);
  if (text === undefined) {
    text = JSON.stringify(rotary);
    texts.set(rotary, text);
  }
  return text;
}
