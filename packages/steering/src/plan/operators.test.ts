import { useBackend } from '@safeinfer/backend';
import { createRandomModel, type Row, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { paddedLogits } from '../../test/padded-logits.ts';
import { randomVector } from '../../test/random-vector.ts';
import type { SteeringOperation } from './operation.ts';
import { steerRows } from './steer-rows.ts';
import type { SteeringPlan } from './steering-plan.ts';
import { toInterventions } from './to-interventions.ts';

const WIDTH = 24;
const PROMPT = [5, 9, 33, 2, 71, 8];
const ANSWER = [12, 40, 7];
const OTHERS: Row[] = [{ tokens: [3] }, { tokens: [90, 1, 44, 18, 27, 6, 50, 11, 30, 2] }];

const vector = randomVector(1, WIDTH);
const second = randomVector(2, WIDTH);
const gate = randomVector(3, WIDTH);
const base = { layer: 1 } as const;
const condition = {
  score: 'projection',
  vector: second,
  layer: 1,
  fire: 'above',
  threshold: 0,
  freeze: 'token',
} as const;
const symmetric = ((): Float32Array => {
  const matrix = new Float32Array(WIDTH * WIDTH);
  const u = vector.map((x) => x / Math.hypot(...vector));
  for (let i = 0; i < WIDTH; i += 1)
    for (let j = 0; j < WIDTH; j += 1)
      matrix[i * WIDTH + j] = 0.5 * u[i]! * u[j]! + (i === j ? 0.4 : 0);
  return matrix;
})();

/** Every operation and every way to place one, at a strength that moves the logits. */
const OPERATIONS: Record<string, SteeringOperation> = {
  add: { ...base, op: 'add', vector, strength: 0.7 },
  'add at a window': { ...base, op: 'add', vector, positions: { from: -1 } },
  'add on a schedule': {
    ...base,
    op: 'add',
    vector,
    schedule: { kind: 'exponential', to: 0.2, over: 3 },
  },
  'add, linear schedule': {
    ...base,
    op: 'add',
    vector,
    schedule: { kind: 'linear', to: 2, over: 2 },
  },
  'add, first new tokens': {
    ...base,
    op: 'add',
    vector,
    during: 'generation',
    schedule: { kind: 'window', from: 0, to: 2 },
  },
  'add, length kept': { ...base, op: 'add', vector, norm: 'preserve' },
  'add, length capped': { ...base, op: 'add', vector, norm: 'cap' },
  'add to a head': {
    ...base,
    op: 'add',
    point: 'attn.hook_z',
    head: 2,
    vector: vector.slice(0, 8),
    strength: 2,
  },
  'rotate a head': {
    ...base,
    op: 'rotate',
    point: 'attn.hook_z',
    head: 0,
    vector: vector.slice(0, 8),
    second: second.slice(0, 8),
    degrees: 80,
    mode: 'offset',
  },
  'add where a token fires': { ...base, op: 'add', vector, condition },
  ablate: { ...base, op: 'ablate', vector },
  project: { ...base, op: 'project', vector, value: 3 },
  'project half way': { ...base, op: 'project', vector, value: 3, strength: 0.5 },
  affine: { ...base, op: 'affine', vector, reference: second, alpha: 0.5 },
  'affine in part': { ...base, op: 'affine', vector, reference: second, alpha: 1, strength: 0.4 },
  'rotate by': { ...base, op: 'rotate', vector, second, degrees: 60, mode: 'offset' },
  'rotate to': { ...base, op: 'rotate', vector, second, degrees: 200, mode: 'target' },
  'rotate adaptively': {
    ...base,
    op: 'rotate',
    vector,
    second,
    degrees: 90,
    mode: 'offset',
    adaptive: true,
  },
  slerp: { ...base, op: 'slerp', vector, strength: 0.3 },
  conceptor: { ...base, op: 'conceptor', matrix: symmetric, beta: 1.5, strength: 0.5 },
  'gate at the prompt': { ...base, op: 'gate', vector, gate, readAt: 'last', during: 'prompt' },
  'gate each token': { ...base, op: 'gate', vector, gate, readAt: 'each', strength: 0.2 },
  'gate with a bias': {
    ...base,
    op: 'gate',
    vector,
    gate,
    bias: -0.4,
    readAt: 'each',
    strength: 0.3,
  },
  transport: {
    ...base,
    op: 'transport',
    scale: second.map((x) => 1 + 0.3 * x),
    shift: vector,
    strength: 0.6,
  },
  'add where both of two conditions hold': {
    ...base,
    op: 'add',
    vector,
    condition: { all: [condition, { ...condition, vector: gate, fire: 'below' }] },
  },
  'add where either of two conditions holds': {
    ...base,
    op: 'add',
    vector,
    condition: { any: [condition, { ...condition, vector: gate, fire: 'below' }] },
  },
  cap: { ...base, op: 'cap', vector, max: -0.5 },
};

let model: Transformer;
beforeAll(async () => {
  await useBackend({ name: 'cpu' });
  model = createRandomModel({
    config: { nLayers: 3, nHeads: 4, dModel: WIDTH, dHead: 8, dMlp: 32, vocabSize: 96 },
    seed: 3,
  });
});
afterAll(() => model.dispose());

async function logitsOf(rows: readonly Row[]): Promise<Float32Array[]> {
  using result = model.forward(rows, { logits: 'all' });
  return Promise.all(rows.map(async (_, i) => (await result.logits(i).data()) as Float32Array));
}

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));
}

describe.each(Object.entries(OPERATIONS))('%s', (_, operation) => {
  const plan: SteeringPlan = { operations: [operation] };
  // As during a generation: the answer's tokens follow a prompt whose length the plan is told.
  const steered = (): Row => ({
    tokens: [...PROMPT, ...ANSWER],
    interventions: toInterventions(plan, { promptLength: PROMPT.length }),
  });
  // The engine's own `during` follows the phase of a pass; whole passes here are one phase.
  const phased = operation.during === 'generation' && operation.schedule === undefined;

  it('gives a row in a batch what it gives it alone, and leaves the others alone', async () => {
    const [alone] = await logitsOf([steered()]);
    const together = await logitsOf([OTHERS[0]!, steered(), OTHERS[1]!, steered()]);
    const plain = await logitsOf([OTHERS[0]!, OTHERS[1]!, { tokens: steered().tokens }]);
    expect(difference(together[1]!, alone!)).toBeLessThan(1e-5);
    expect(difference(together[3]!, alone!)).toBeLessThan(1e-5);
    expect(difference(together[0]!, plain[0]!)).toBeLessThan(1e-5);
    expect(difference(together[2]!, plain[1]!)).toBeLessThan(1e-5);
    // Negative control: the edit does something.
    expect(difference(alone!, plain[2]!)).toBeGreaterThan(1e-2);
  });

  it('is the same under left as under right padding', async () => {
    const rows = [OTHERS[0]!, steered(), OTHERS[1]!];
    const left = await paddedLogits(model, rows, 'left');
    const right = await paddedLogits(model, rows, 'right');
    rows.forEach((_row, i) => {
      expect(difference(left[i]!, right[i]!)).toBeLessThan(1e-5);
    });
  });

  it.runIf(!phased)('is the same cached, token by token, as in one pass', async () => {
    const [whole] = await logitsOf([steered()]);
    const { interventions = [] } = steered();
    using cache = model.createCache();
    const got: number[] = [];
    for (const tokens of [PROMPT, ...ANSWER.map((token) => [token])]) {
      const phase = got.length === 0 ? 'prompt' : 'generation';
      using pass = model.forward([{ tokens, interventions, cache, phase }], { logits: 'all' });
      got.push(...((await pass.logits(0).data()) as Float32Array));
    }
    expect(difference(got, whole!)).toBeLessThan(1e-5);
  });

  it('changes no bit at strength 0 and leaves no tensor', async () => {
    const off = toInterventions({ operations: [{ ...operation, strength: 0 }] });
    const before = tf.memory().numTensors;
    const [plain] = await logitsOf([{ tokens: PROMPT }]);
    const [none] = await logitsOf([{ tokens: PROMPT, interventions: off }]);
    await logitsOf([steered()]);
    expect(none).toEqual(plain);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is data: it survives serialisation', () => {
    const copy = JSON.parse(
      JSON.stringify(operation, (_key, value) =>
        value instanceof Float32Array ? { f32: [...value] } : value,
      ),
      (_key, value) => (value?.f32 ? Float32Array.from(value.f32) : value),
    );
    expect(copy).toEqual(operation);
  });
});

describe('what each operation makes of an activation', () => {
  const POINT = 'blocks.1.hook_resid_post';
  const length = Math.hypot(...vector);
  const unit = Array.from(vector, (x) => x / length);
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);

  async function residual(operation?: SteeringOperation): Promise<number[][]> {
    const interventions = operation ? toInterventions({ operations: [operation] }) : [];
    using result = model.forward([{ tokens: PROMPT, interventions }], {
      capture: [POINT],
      logits: 'none',
    });
    return (await result.captured(0, POINT).array()) as number[][];
  }

  it('adding is linear in the strength', async () => {
    const plain = await residual();
    const once = await residual({ ...base, op: 'add', vector, strength: 1 });
    const thrice = await residual({ ...base, op: 'add', vector, strength: 3 });
    plain.forEach((h, t) => {
      const three = h.map((x, i) => x + 3 * (once[t]![i]! - x));
      expect(difference(three, thrice[t]!)).toBeLessThan(1e-5);
    });
  });

  it('ablation leaves nothing along the direction', async () => {
    for (const h of await residual(OPERATIONS.ablate))
      expect(Math.abs(dot(h, unit))).toBeLessThan(1e-5 * Math.hypot(...h));
  });

  it('ACE sets the component to reference . r-hat + alpha |r|', async () => {
    const target = dot(second, unit) + 0.5 * length;
    for (const h of await residual(OPERATIONS.affine)) expect(dot(h, unit)).toBeCloseTo(target, 5);
    // In part: the fraction of the way from where each token was.
    const plain = await residual();
    const part = await residual(OPERATIONS['affine in part']);
    const full = dot(second, unit) + length;
    part.forEach((h, t) => {
      const from = dot(plain[t]!, unit);
      expect(dot(h, unit)).toBeCloseTo(from + 0.4 * (full - from), 4);
    });
  });

  it.each(['rotate by', 'rotate to', 'slerp', 'add, length kept'])(
    '%s keeps lengths',
    async (name) => {
      const plain = await residual();
      const turned = await residual(OPERATIONS[name]);
      plain.forEach((h, t) => {
        expect(Math.hypot(...turned[t]!) / Math.hypot(...h)).toBeCloseTo(1, 5);
        expect(difference(h, turned[t]!)).toBeGreaterThan(1e-3);
      });
    },
  );

  it('rotation turns the part in the plane by the angle, and to the angle', async () => {
    const rest = Array.from(second, (x, i) => x - dot(second, unit) * unit[i]!);
    const b2 = rest.map((x) => x / Math.hypot(...rest));
    const angle = (h: number[]): number => Math.atan2(dot(h, b2), dot(h, unit));
    const plain = await residual();
    const by = await residual(OPERATIONS['rotate by']);
    const to = await residual(OPERATIONS['rotate to']);
    plain.forEach((h, t) => {
      const turn = ((angle(by[t]!) - angle(h)) * 180) / Math.PI;
      expect((turn + 720) % 360).toBeCloseTo(60, 2);
      expect(((angle(to[t]!) * 180) / Math.PI + 720) % 360).toBeCloseTo(200, 2);
    });
  });

  it('slerp goes the stated part of the way', async () => {
    const plain = await residual();
    const turned = await residual(OPERATIONS.slerp);
    plain.forEach((h, t) => {
      const to = Math.acos(dot(h, unit) / Math.hypot(...h));
      const left = Math.acos(dot(turned[t]!, unit) / Math.hypot(...turned[t]!));
      expect(left).toBeCloseTo(0.7 * to, 3);
    });
  });

  it('caps only what exceeds', async () => {
    const plain = await residual();
    const capped = await residual(OPERATIONS.cap);
    let exceeded = 0;
    plain.forEach((h, t) => {
      expect(dot(capped[t]!, unit)).toBeLessThan(-0.5 + 1e-4);
      if (dot(h, unit) > -0.5) exceeded += 1;
      else expect(capped[t]).toEqual(h);
    });
    expect(exceeded).toBeGreaterThan(0);
  });

  it('a gate adds its reading of the last token to every token', async () => {
    const plain = await residual();
    const gated = await residual(OPERATIONS['gate at the prompt']);
    const open = dot(plain.at(-1)!, gate);
    plain.forEach((h, t) => {
      const expected = h.map((x, i) => x + open * vector[i]!);
      expect(difference(expected, gated[t]!)).toBeLessThan(1e-4);
    });
  });

  it('a conceptor multiplies by beta C, in part', async () => {
    const plain = await residual();
    const soft = await residual(OPERATIONS.conceptor);
    plain.forEach((h, t) => {
      const image = h.map((x, i) => {
        const row = symmetric.subarray(i * WIDTH, (i + 1) * WIDTH);
        return 0.5 * x + 0.5 * 1.5 * dot(row, h);
      });
      expect(difference(image, soft[t]!)).toBeLessThan(1e-4);
    });
  });
});

describe('rows', () => {
  it('take their own vectors and strengths', async () => {
    const rows = [{ tokens: PROMPT }, { tokens: PROMPT }, { tokens: PROMPT }];
    const plan: SteeringPlan = {
      operations: [{ ...base, op: 'add', vector }],
      rows: [
        { row: 1, operation: 0, strength: 0 },
        { row: 2, operation: 0, vector: second, strength: -1 },
      ],
    };
    const got = await logitsOf(await steerRows({ model, plan, rows }));
    const [own] = await logitsOf([
      { tokens: PROMPT, interventions: toInterventions({ operations: plan.operations }) },
    ]);
    const [other] = await logitsOf([
      {
        tokens: PROMPT,
        interventions: toInterventions({
          operations: [{ ...base, op: 'add', vector: second, strength: -1 }],
        }),
      },
    ]);
    const [plain] = await logitsOf([{ tokens: PROMPT }]);
    expect(difference(got[0]!, own!)).toBeLessThan(1e-5);
    expect(difference(got[1]!, plain!)).toBeLessThan(1e-5);
    expect(difference(got[2]!, other!)).toBeLessThan(1e-5);
    expect(difference(own!, other!)).toBeGreaterThan(1e-2);
  });

  it('act in the stated order whatever the order of the list', async () => {
    const ablate = OPERATIONS.ablate!;
    const plus = OPERATIONS.add!;
    const rows = [{ tokens: PROMPT }];
    const run = async (operations: SteeringOperation[]): Promise<Float32Array> =>
      (await logitsOf(await steerRows({ model, plan: { operations }, rows })))[0]!;
    expect(await run([plus, ablate])).toEqual(await run([ablate, plus]));
    // Negative control: the other order would have removed what was added.
    expect(difference(await run([ablate, plus]), await run([ablate]))).toBeGreaterThan(1e-2);
  });
});
