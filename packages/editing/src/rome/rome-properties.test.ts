// What must hold of an edit in any layout and for any statistics, beside the goldens: constraint, rank, optimality, spread.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { useBackend } from '@safeinfer/backend';
import {
  createRandomModel,
  loadModel,
  normals,
  type Row,
  type Transformer,
  type WeightName,
} from '@safeinfer/transformer';
import { Matrix, SingularValueDecomposition, solve } from 'ml-matrix';
import { beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import {
  goldenJson,
  goldenTensors,
  loadGoldenModel,
  product,
  relativeError,
} from '../../test/golden-model.ts';
import { alphaSolve } from '../batch/alpha-edit.ts';
import { memit } from '../batch/memit.ts';
import { changedWeight } from '../delta/changed-weight.ts';
import { combine, gram, solveSmall } from '../linear-algebra/small-system.ts';
import { dot, meanVector } from '../linear-algebra/vector.ts';
import { readLookups } from '../lookup/read-lookups.ts';
import { prepareEdit } from '../request/prepare-edit.ts';
import { nullSpace } from '../second-moment/null-space.ts';
import { type MeasuredMoment, solveMoment } from '../second-moment/second-moment.ts';
import { valuePoint } from '../value/optimise-value.ts';
import { type KeyChoice, rome } from './rome.ts';

beforeAll(async () => {
  await useBackend({ name: 'cpu' });
});

const random = (seed: number, size: number): Float64Array => Float64Array.from(normals(seed, size));

/** A well-conditioned C: A AT / n + I. */
function positive(size: number, seed: number): MeasuredMoment {
  const factors = Array.from({ length: 2 * size }, (_, i) => random(seed + i, size));
  const values = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1)
    for (let j = 0; j < size; j += 1)
      values[i * size + j] =
        factors.reduce((sum, f) => sum + f[i]! * f[j]!, 0) / factors.length + (i === j ? 1 : 0);
  return { kind: 'measured', values, size, tokens: 10 * size };
}

function times({ values, size }: MeasuredMoment, x: Float64Array): Float64Array {
  return Float64Array.from({ length: size }, (_, i) =>
    dot(values.subarray(i * size, (i + 1) * size), x),
  );
}

/** One edit of the golden's main case and what the projection gives before and after it. */
async function edited(
  name: 'gpt2' | 'llama',
  keys: KeyChoice,
): Promise<{
  readonly bare: number;
  readonly mean: number;
  readonly edit: Awaited<ReturnType<typeof rome>>;
  readonly moment: MeasuredMoment;
  readonly averagedKey: Float64Array;
  readonly bareKey: Float64Array;
  /** Projection outputs at the bare prompt and averaged, unedited. */
  readonly outputs: { readonly bare: Float64Array; readonly mean: Float64Array };
}> {
  const { layer, templates, cases } = goldenJson<{
    readonly layer: number;
    readonly templates: readonly string[];
    readonly cases: Readonly<
      Record<string, { readonly request: { prompt: string; subject: string; target: string } }>
    >;
  }>(name, 'rome');
  const { prompt, subject, target } = cases['main']!.request;
  const request = { prompt, subject, targetNew: target };
  using model = await loadGoldenModel(name);
  const values = await goldenTensors(name, 'moments')(`moment/${layer}`);
  const size = Math.sqrt(values.length);
  const moment: MeasuredMoment = { kind: 'measured', values, size, tokens: 10 * size };
  const edit = await rome({
    model,
    request,
    layer,
    keys,
    moment,
    contextTemplates: templates,
    steps: 6,
  });
  const { contexts } = prepareEdit({
    model,
    request,
    factToken: 'subjectLast',
    contextTemplates: templates,
  });
  const [keyRows, outputRows] = await readLookups({
    model,
    rows: contexts,
    points: [`blocks.${layer}.mlp.hook_post`, valuePoint(model, layer)],
  });
  const weight = await changedWeight(model.weights.get(edit.delta.weight)!, [edit.delta]);
  using after = model.withWeights(new Map([[edit.delta.weight, weight]]));
  const [outputs] = await readLookups({
    model: after,
    rows: contexts,
    points: [valuePoint(model, layer)],
  });
  return {
    bare: relativeError(outputs[0]!, edit.value.value),
    mean: relativeError(meanVector(outputs), edit.value.value),
    edit,
    moment,
    averagedKey: meanVector(keyRows),
    bareKey: keyRows[0]!,
    outputs: { bare: outputRows[0]!, mean: meanVector(outputRows) },
  };
}

describe.each(['gpt2', 'llama'] as const)('one ROME edit of tiny %s', (name) => {
  it('check 10: W_new k + b = v*, for the bare key (original) or the averaged one (r-ROME)', async () => {
    const { bare } = await edited(name, 'original');
    const { mean } = await edited(name, 'averaged');
    expect(figure(10, 'original, bare key, relative', bare)).toBeLessThan(1e-5);
    expect(figure(10, 'r-ROME, averaged key, relative', mean)).toBeLessThan(1e-5);
  });

  it('check 11: the original does not meet v* at the averaged key', async () => {
    const { mean } = await edited(name, 'original');
    expect(figure(11, 'W_new k_mean from v*, relative', mean, 'control')).toBeGreaterThan(1e-2);
    // And r-ROME not at the bare key: nobody switches silently in either direction.
    const { bare } = await edited(name, 'averaged');
    expect(figure(11, 'r-ROME at the bare key, relative', bare, 'control')).toBeGreaterThan(1e-2);
  });

  it('checks 4, 12, 14: unit u with C u parallel to k, rank one, least tr(DT C D)', async () => {
    const { edit, moment, averagedKey } = await edited(name, 'averaged');
    const { left, right } = edit.delta;
    expect(Math.hypot(...left)).toBeCloseTo(1, 12);
    // 4: C u = k / |C^-1 k|.
    const solved = solveMoment(moment, averagedKey);
    const length = Math.hypot(...solved);
    const residual4 = relativeError(
      times(moment, left),
      averagedKey.map((x) => x / length),
    );
    expect(figure(4, 'C u against k / |C^-1 k|, relative', residual4)).toBeLessThan(1e-9);
    figure(4, '| |u| - 1 |', Math.abs(Math.hypot(...left) - 1));
    const delta = product([left], [right]);
    const asMatrix = Matrix.from1DArray(left.length, right.length, delta);
    // 12
    const { diagonal } = new SingularValueDecomposition(asMatrix);
    expect(figure(12, 'second singular value / first', diagonal[1]! / diagonal[0]!)).toBeLessThan(
      1e-6,
    );
    // 14: for Z with ZT k = 0 the derivative tr(ZT C D) is 0, and a step along Z only costs.
    const trace = (z: Matrix, d: Matrix): number => {
      const cd = Matrix.from1DArray(moment.size, moment.size, moment.values).mmul(d);
      return z.transpose().mmul(cd).trace();
    };
    const own = trace(asMatrix, asMatrix);
    const kk = dot(averagedKey, averagedKey);
    for (let seed = 1; seed <= 5; seed += 1) {
      const draw = Matrix.from1DArray(left.length, right.length, random(seed, delta.length));
      const along = draw.transpose().mmul(Matrix.columnVector(averagedKey)).div(kk);
      const z = Matrix.sub(draw, Matrix.columnVector(averagedKey).mmul(along.transpose()));
      const size = Math.sqrt(trace(z, z) * own);
      const slope = Math.abs(trace(z, asMatrix)) / size;
      expect(figure(14, 'slope along ZT k = 0, relative', slope)).toBeLessThan(1e-9);
      expect(trace(Matrix.add(asMatrix, z), Matrix.add(asMatrix, z))).toBeGreaterThan(own);
      // Negative control: a direction that breaks the constraint has a slope.
      const free = Math.abs(trace(draw, asMatrix)) / size;
      expect(figure(14, 'slope along a free Z, relative', free, 'control')).toBeGreaterThan(1e-6);
    }
  });
});

describe.each(['gpt2', 'llama'] as const)('check 13: closed form on tiny %s', (name) => {
  it('(C^-1 k_mean)(v* - o)T / ((C^-1 k_mean) . k), solved by LU, for each choice of keys', async () => {
    for (const keys of ['original', 'averaged'] as const) {
      const { edit, moment, averagedKey, bareKey, outputs } = await edited(name, keys);
      const { size, values } = moment;
      const solved = Float64Array.from(
        solve(Matrix.from1DArray(size, size, values), Matrix.columnVector(averagedKey)).to1DArray(),
      );
      const [key, output] =
        keys === 'averaged' ? [averagedKey, outputs.mean] : [bareKey, outputs.bare];
      const residual = edit.value.value.map((v, i) => v - output[i]!);
      const scale = dot(solved, key);
      const closed = product([solved.map((x) => x / scale)], [residual]);
      const delta = product([edit.delta.left], [edit.delta.right]);
      expect(figure(13, `${keys}, relative`, relativeError(delta, closed))).toBeLessThan(1e-6);
      // The control: the other key in the denominator.
      const other = dot(solved, keys === 'averaged' ? bareKey : averagedKey);
      const wrong = delta.map((x) => (x * scale) / other);
      expect(relativeError(wrong, closed)).toBeGreaterThan(1e-2);
    }
  });
});

describe('check 15: layouts', () => {
  const fixtures = fileURLToPath(new URL('../../../transformer/fixtures/', import.meta.url));
  it.each(['gpt2', 'llama', 'gptj', 'gpt-neox'])(
    'a delta changes the MLP output of a %s checkpoint by (k . left) right',
    async (name) => {
      using model = await loadModel({ path: join(fixtures, name) });
      await expectConstraint(model);
    },
  );
  it.each(['gpt2', 'llama'] as const)('%s with d_in = d_out', async (like) => {
    const config = { dModel: 8, nHeads: 2, dMlp: 8, vocabSize: 16, nLayers: 3, like };
    using model = createRandomModel({ config, seed: 4 });
    await expectConstraint(model);
  });
});

/** A rank-one delta in [in, out] orientation moves the projection's output of key k by (k . left) right. */
async function expectConstraint(model: Transformer): Promise<void> {
  const weight: WeightName = 'blocks.1.mlp.W_out';
  const tokens = [3, 1, 4, 1, 5];
  const at = valuePoint(model, 1);
  const read = async (from: Transformer, point: typeof at | 'blocks.1.mlp.hook_post') => {
    const row: Row = { tokens };
    using result = from.forward([row], {
      capture: [point],
      capturePositions: [-1],
      logits: 'none',
    });
    return Float64Array.from(await result.captured(0, point).data());
  };
  const key = await read(model, 'blocks.1.mlp.hook_post');
  const left = random(7, key.length);
  const right = random(8, model.config.dModel);
  using after = model.withWeights(
    new Map([[weight, await changedWeight(model.weights.get(weight)!, [{ weight, left, right }])]]),
  );
  const [before, moved] = [await read(model, at), await read(after, at)];
  const expected = before.map((x, i) => x + dot(key, left) * right[i]!);
  expect(relativeError(moved, expected)).toBeLessThan(1e-6);
  expect(relativeError(before, expected)).toBeGreaterThan(1e-3);
}

describe('algebra of the batched editors on random matrices, float64', () => {
  const size = 24;
  const moment = positive(size, 100);
  const keys = Array.from({ length: 5 }, (_, i) => random(40 + i, size));
  const columns = new Matrix(keys.map((key) => Array.from(key))).transpose();
  const c = Matrix.from1DArray(size, size, moment.values);
  const flat = (vectors: readonly Float64Array[]): number[] => vectors.flatMap((v) => [...v]);

  it("check 18: MEMIT's small system equals the solve of the MLP's width", () => {
    const lambda = 3;
    const whole = solve(Matrix.mul(c, lambda).add(columns.mmul(columns.transpose())), columns);
    const solved = keys.map((key) => solveMoment(moment, key));
    const small = combine(solved, solveSmall(gram(keys, solved, lambda), Matrix.eye(5)));
    const error = relativeError(flat(small), whole.transpose().to1DArray());
    expect(figure(18, 'relative', error)).toBeLessThan(1e-9);
    // The control: without the ridge's scale it is another matrix.
    const wrong = combine(solved, solveSmall(gram(keys, solved, 1), Matrix.eye(5)));
    expect(relativeError(flat(wrong), whole.transpose().to1DArray())).toBeGreaterThan(1e-2);
  });

  it("check 21: AlphaEdit's small system equals the solve of the MLP's width, stays in the null space, sees K_p", () => {
    const { diagonal } = new SingularValueDecomposition(c);
    const space = nullSpace(moment, (diagonal[11]! + diagonal[12]!) / 2);
    expect(space.dimension).toBe(12);
    // P = U0 U0T from the singular vectors, as the reference makes it.
    const { leftSingularVectors } = new SingularValueDecomposition(c);
    const small = leftSingularVectors.subMatrix(0, size - 1, 12, size - 1);
    const p = small.mmul(small.transpose());
    const [mine, past] = [keys.slice(0, 3), keys.slice(3)];
    const k = columns.subMatrix(0, size - 1, 0, 2);
    const kp = columns.subMatrix(0, size - 1, 3, 4);
    const l2 = 0.7;
    const wide = (grams: Matrix): number[] =>
      solve(p.mmul(grams).add(Matrix.eye(size).mul(l2)), p.mmul(k))
        .transpose()
        .to1DArray();
    const expected = wide(k.mmul(k.transpose()).add(kp.mmul(kp.transpose())));
    const ours = alphaSolve({ space, keys: mine, past, l2 });
    expect(figure(21, 'small system, relative', relativeError(flat(ours), expected))).toBeLessThan(
      1e-9,
    );
    const projected = ours.map((x) => p.mmul(Matrix.columnVector(x)).to1DArray());
    const moved = relativeError(projected.flat(), flat(ours));
    expect(figure(21, 'P dWT against dWT, relative', moved)).toBeLessThan(1e-9);
    const without = flat(alphaSolve({ space, keys: mine, past: [], l2 }));
    expect(relativeError(without, wide(k.mmul(k.transpose())))).toBeLessThan(1e-9);
    expect(relativeError(without, expected)).toBeGreaterThan(1e-2);
  });

  it('check 22: the same identity is what an UltraEdit step needs: (HT H + I)^-1 HT V = HT (H HT + I)^-1 V', () => {
    const h = new Matrix(keys.map((key) => Array.from(key)));
    const v = new Matrix(keys.map((_, i) => Array.from(random(80 + i, 7))));
    const ht = h.transpose();
    const wide = solve(ht.mmul(h).add(Matrix.eye(size)), ht.mmul(v));
    const weights = solveSmall(gram(keys, keys, 1), v);
    const small = combine(keys, weights);
    const error = relativeError(flat(small), wide.transpose().to1DArray());
    expect(figure(22, 'relative', error)).toBeLessThan(1e-9);
  });
});

it('check 20: with small lambda the residual falls at every layer, by either spread', async () => {
  const golden = goldenJson<{
    readonly templates: readonly string[];
    readonly requests: readonly { prompt: string; subject: string; target: string }[];
  }>('gpt2', 'memit');
  using model = await loadGoldenModel('gpt2');
  const moments = new Map<number, MeasuredMoment>();
  for (const layer of [0, 1, 2]) {
    const values = await goldenTensors('gpt2', 'moments')(`moment/${layer}`);
    const size = Math.sqrt(values.length);
    moments.set(layer, { kind: 'measured', values, size, tokens: 10 * size });
  }
  const options = {
    model,
    requests: golden.requests
      .slice(0, 2)
      .map(({ prompt, subject, target }) => ({ prompt, subject, targetNew: target })),
    layers: [0, 1, 2],
    contextTemplates: golden.templates,
    lambda: 1e-6,
    moments,
    steps: 8,
  };
  const first = await memit(options);
  const root = await memit({ ...options, values: first.values, spread: 'squareRoot' });
  for (const { residualNorms } of [first, root]) {
    const means = residualNorms.map((norms) => norms.reduce((a, b) => a + b, 0) / norms.length);
    figure(20, 'mean |z - h|, second layer / first', means[1]! / means[0]!);
    figure(20, 'mean |z - h|, third layer / second', means[2]! / means[1]!);
    expect(means[1]!).toBeLessThan(means[0]!);
    expect(means[2]!).toBeLessThan(means[1]!);
  }
  // The divisors: 3 layers left against their square root.
  const [whole, less] = [root, first].map(({ deltas }) => deltas[0]!.rights[0]!);
  expect(
    relativeError(
      whole!,
      less!.map((x) => x * Math.sqrt(3)),
    ),
  ).toBeLessThan(1e-9);
});
