import type { StoredEdit } from '@safeinfer/editing';
import { describe, expect, it } from 'vitest';
import { editFromJson, editToJson } from './stored-edit-json.ts';

describe('a computed edit as JSON', () => {
  it('keeps every number of every kind of change bit for bit', () => {
    const numbers = (n: number): Float64Array =>
      Float64Array.from({ length: n }, (_, i) => Math.sin(i + n) * 10 ** (i - 3));
    const weight = 'blocks.0.mlp.W_out';
    const edit: StoredEdit = {
      record: {
        id: 'a',
        requests: [{ prompt: '{} is', subject: 's', targetNew: ' t' }],
        method: { kind: 'rome' },
        tokens: [],
        losses: [[1.5, 0.1]],
        targetProbability: [{ before: 1e-300, after: 1 / 3 }],
        alarms: [],
        weights: [{ name: weight, relativeNorm: 0.1, sha256: 'x' }],
      },
      deltas: [
        { weight, left: numbers(5), right: Float64Array.of(-0, Number.MIN_VALUE, 1e308) },
        { weight, lefts: [numbers(5), numbers(6)], rights: [numbers(7), numbers(8)] },
        { weight, dense: numbers(6), shape: [2, 3] },
      ],
      keys: new Map([[4, [numbers(3), numbers(4)]]]),
    };
    const text = JSON.stringify(editToJson(edit));
    expect(editFromJson(JSON.parse(text) as ReturnType<typeof editToJson>)).toEqual(edit);
    const { keys: _, ...without } = edit;
    expect(editFromJson(editToJson(without))).toEqual(without);
  });
});
