// The value's search step by step against float64 goldens: loss parts, first step, all steps, clamp, stop, KL direction.
import { useBackend } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import {
  type GoldenModelName,
  goldenJson,
  goldenTensors,
  loadGoldenModel,
  relativeError,
} from '../../test/golden-model.ts';
import { norm } from '../linear-algebra/vector.ts';
import { type PreparedEdit, prepareEdit } from '../request/prepare-edit.ts';
import { type OptimisedValue, optimiseValue, type ValueOptions } from './optimise-value.ts';

interface ValueGolden {
  readonly layer: number;
  readonly templates: readonly string[];
  readonly cases: Readonly<
    Record<
      string,
      {
        readonly request: { readonly prompt: string; subject: string; readonly target: string };
        readonly options: Readonly<Record<string, number>>;
        readonly value: Readonly<
          Record<'nll' | 'kl' | 'decay' | 'loss' | 'delta_norm', readonly number[]>
        > & { readonly clamped_steps: number; readonly steps_taken: number };
        readonly negative_controls: { readonly kl_direction_swapped_relative: number };
      }
    >
  >;
}

describe.each<GoldenModelName>(['gpt2', 'llama'])('value of tiny %s', (name) => {
  const golden = goldenJson<ValueGolden>(name, 'rome');
  const read = goldenTensors(name, 'rome');
  let model: Transformer;
  beforeAll(async () => {
    await useBackend({ name: 'ort', threads: 1 });
    model = await loadGoldenModel(name);
  });
  afterAll(() => model.dispose());

  function prepared(id: string): PreparedEdit {
    const { prompt, subject, target } = golden.cases[id]!.request;
    return prepareEdit({
      model,
      request: { prompt, subject, targetNew: target },
      factToken: 'subjectLast',
      contextTemplates: golden.templates,
    });
  }

  function settings(id: string): ValueOptions {
    const { options } = golden.cases[id]!;
    return {
      learningRate: options['lr']!,
      steps: options['steps']!,
      klFactor: options['kl_factor']!,
      weightDecay: options['decay']!,
      clampFactor: options['clamp']!,
      stopLoss: options['stop_loss']!,
    };
  }

  async function search(id: string, change: Partial<ValueOptions> = {}): Promise<OptimisedValue> {
    const { contexts, target, essence } = prepared(id);
    return await optimiseValue({
      ...{ model, layer: golden.layer, contexts, target, essence },
      settings: { ...settings(id), ...change },
    });
  }

  it.each(['main', 'clamped', 'first-token', 'early-stop'])(
    'check 5: loss of %s and its parts: KL and decay are 0 at first, and have no gradient there',
    async (id) => {
      const { value, options } = golden.cases[id]!;
      // The first step's gradient is the likelihood's alone, so delta after it is the same whatever the factors: runs
      // without a term show that term.
      const whole = await search(id, { steps: 2 });
      const noKl = await search(id, { steps: 2, klFactor: 0 });
      const noDecay = await search(id, { steps: 2, weightDecay: 0 });
      expect([...whole.delta].every(Number.isFinite)).toBe(true);
      expect(norm(whole.delta)).toBeGreaterThan(0);
      for (const { delta } of [noKl, noDecay])
        expect(relativeError(delta, whole.delta)).toBeLessThan(2e-5);
      const [first, second] = whole.losses;
      expect(value.kl[0]).toBe(0);
      expect(value.decay[0]).toBe(0);
      for (const other of [noKl, noDecay]) expect(other.losses[0]).toBeCloseTo(first!, 6);
      const parts: readonly (readonly [string, number, number])[] = [
        ['first loss', first!, value.loss[0]!],
        ['second loss', second!, value.loss[1]!],
        ['KL', second! - noKl.losses[1]!, value.kl[1]!],
        ['decay', second! - noDecay.losses[1]!, value.decay[1]!],
        ['NLL', noKl.losses[1]! + noDecay.losses[1]! - second!, value.nll[1]!],
      ];
      for (const [part, ours, expected] of parts) {
        const difference = figure(5, `${part}, absolute`, Math.abs(ours - expected));
        // Float32 holds a loss of 15 to 1e-6.
        expect(difference, part).toBeLessThan(1e-5);
      }
      expect(value.kl[1]).toBeGreaterThan(1e-5 * options['kl_factor']!);
    },
  );

  it('check 6: the KL of the swapped direction ends more than 1 % away, ours at the golden', async () => {
    const { delta, value } = await search('main');
    const initial = await read('main/value/initial');
    const expected = (await read('main/value/delta')).map((x, i) => x + initial[i]!);
    expect(figure(6, 'v*, relative', relativeError(value, expected))).toBeLessThan(1e-4);
    expect(relativeError(delta, await read('main/value/delta'))).toBeLessThan(1e-4);
    const swapped = golden.cases['main']!.negative_controls.kl_direction_swapped_relative;
    expect(figure(6, 'v* with the KL swapped, relative', swapped, 'control')).toBeGreaterThan(0.01);
  });

  it.each(['main', 'clamped', 'first-token', 'early-stop'])(
    'check 7: delta of %s after one Adam step and after all',
    async (id) => {
      const one = await search(id, { steps: 2 });
      const first = await read(`${id}/value/delta_after_1`);
      // Adam's first step is g / (|g| + 1e-8): where |g| is under 1e-5 (one component of one case) it magnifies the
      // rounding of a float32 gradient.
      const firm = [...first.keys()].filter(
        (i) => Math.abs(first[i]!) / 0.5 > 1e-5 / (1e-5 + 1e-8),
      );
      expect(first.length - firm.length).toBeLessThanOrEqual(1);
      const of = (x: Float64Array): number[] => firm.map((i) => x[i]!);
      const error = relativeError(of(one.delta), of(first));
      expect(figure(7, 'one step, relative', error)).toBeLessThan(1e-5);
      expect(relativeError(one.delta, first)).toBeLessThan(1e-4);
      const all = await search(id);
      const last = await read(`${id}/value/delta`);
      expect(figure(7, 'all steps, relative', relativeError(all.delta, last))).toBeLessThan(1e-4);
      expect(all.losses).toHaveLength(golden.cases[id]!.value.loss.length);
    },
  );

  it('check 8: with the clamp active |delta| is clamp times |initial value|', async () => {
    const { clamped_steps, delta_norm } = golden.cases['clamped']!.value;
    expect(clamped_steps).toBeGreaterThan(10);
    const { delta, initial } = await search('clamped');
    const share = norm(delta) / (settings('clamped').clampFactor * norm(initial));
    expect(figure(8, '|delta| / limit - 1', Math.abs(share - 1))).toBeLessThan(1e-6);
    expect(norm(delta) / delta_norm.at(-1)!).toBeCloseTo(1, 5);
    // Without the clamp it would go farther.
    const free = await search('clamped', { clampFactor: 100 });
    const beyond = norm(free.delta) / norm(delta);
    expect(figure(8, 'length without the clamp, as a multiple', beyond, 'control')).toBeGreaterThan(
      1.1,
    );
  });

  it('check 9: no step after the loss falls below the stop, at most steps - 1 updates', async () => {
    const { steps_taken: taken } = golden.cases['early-stop']!.value;
    const stopLoss = name === 'gpt2' ? settings('early-stop').stopLoss : 0.5;
    const stopped = await search('early-stop', { stopLoss });
    const below = stopped.losses.map((loss) => loss < stopLoss);
    expect(below.indexOf(true)).toBe(below.length - 1);
    if (name === 'gpt2') expect(stopped.losses).toHaveLength(taken + 1);
    // The loss that stopped it was that of the delta it returns: as many updates as losses before it.
    const updates = stopped.losses.length - 1;
    const counted = await search('early-stop', { stopLoss: 0, steps: updates + 1 });
    expect(counted.delta).toEqual(stopped.delta);
    const further = await search('early-stop', { stopLoss: 0, steps: updates + 2 });
    expect(relativeError(further.delta, stopped.delta)).toBeGreaterThan(1e-3);
    // One step only looks.
    const none = await search('early-stop', { steps: 1, stopLoss: 0 });
    expect([none.losses.length, norm(none.delta)]).toEqual([1, 0]);
    figure(9, 'updates beyond the golden', name === 'gpt2' ? updates - taken : 0);
  });
});
