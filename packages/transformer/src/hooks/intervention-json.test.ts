import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataIntervention } from './intervention.ts';
import { interventionFromJson, interventionKey, interventionToJson } from './intervention-json.ts';

const at = 'blocks.3.hook_resid_post' as const;

describe('interventions as JSON', () => {
  it('come back exactly, through text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
        fc.option(fc.array(fc.integer({ min: -9, max: 9 })), { nil: undefined }),
        fc.constantFrom('prompt', 'generation', 'both', undefined),
        (values, positions, during) => {
          const vector = Float32Array.from(values);
          const intervention = {
            at,
            op: 'add',
            vector,
            scale: 0.1,
            ...(positions === undefined ? {} : { positions }),
            ...(during === undefined ? {} : { during }),
          } as DataIntervention;
          const text = JSON.stringify(interventionToJson(intervention));
          expect(interventionFromJson(JSON.parse(text))).toEqual(intervention);
        },
      ),
    );
  });

  it('have one key per edit, whatever way it was written', () => {
    const a: DataIntervention = { at, op: 'add', vector: [0.5, 0.25], scale: 2 };
    const b: DataIntervention = { scale: 2, vector: Float32Array.of(0.5, 0.25), op: 'add', at };
    expect(interventionKey(a)).toBe(interventionKey(b));
    expect(interventionKey(a)).not.toBe(interventionKey({ ...a, scale: 1 }));
    expect(interventionKey(a)).not.toBe(interventionKey({ ...a, vector: [0.5, 0.26] }));
  });

  it.each<[unknown, RegExp]>([
    [null, /not an object/],
    [{ op: 'zero' }, /`at`/],
    [{ at, op: 'toString' }, /unknown op/],
    [{ at, op: 'add' }, /needs 'vector'/],
    [{ at, op: 'add', vector: [1] }, /not base64/],
    [{ at, op: 'add', vector: 'AAA=' }, /fp32/],
    [{ at, op: 'zero', apply: 1 }, /unknown field/],
    [{ at, op: 'scale', factor: '2' }, /'factor'/],
    [{ at, op: 'zero', positions: [0.5] }, /'positions'/],
    [{ at, op: 'zero', during: 'never' }, /'during'/],
  ])('%j is refused', (json, message) => {
    expect(() => interventionFromJson(json)).toThrow(message);
  });

  it('refuse functions', () => {
    expect(() => interventionKey({ at, apply: () => undefined })).toThrow(/is a function/);
  });
});
