import { useBackend } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import {
  cosine,
  type GoldenModelName,
  goldenJson,
  goldenTensors,
  loadGoldenModel,
  product,
  relativeError,
} from '../../test/golden-model.ts';
import { identityMoment, type SecondMoment } from '../second-moment/second-moment.ts';
import { EditSession } from '../session/edit-session.ts';
import type { OptimisedValue } from '../value/optimise-value.ts';
import { type KeyChoice, rome } from './rome.ts';

interface RomeGolden {
  readonly layer: number;
  readonly templates: readonly string[];
  readonly cases: Readonly<
    Record<
      string,
      {
        readonly request: {
          readonly prompt: string;
          readonly subject: string;
          readonly target: string;
        };
        readonly options: Readonly<Record<string, number>>;
        readonly rows: readonly { readonly ids: readonly number[] }[];
        readonly value: { readonly loss: readonly number[] };
        readonly variants: Readonly<
          Record<
            string,
            { readonly keys: KeyChoice; readonly denominator: number; readonly key_cosine: number }
          >
        >;
      }
    >
  >;
}

const OTHER_CASES = ['clamped', 'first-token', 'early-stop'];
const VARIANTS = ['original', 'averaged', 'prompt', 'original-identity', 'averaged-identity'];

describe.each<GoldenModelName>(['gpt2', 'llama'])(
  'ROME on tiny %s against float64 goldens',
  (name) => {
    let model: Transformer;
    let read: (tensor: string) => Promise<Float64Array>;
    let moment: SecondMoment;
    // The value does not depend on keys or moment: one optimisation serves every variant of a case.
    const values = new Map<string, OptimisedValue>();
    const golden = goldenJson<RomeGolden>(name, 'rome');

    beforeAll(async () => {
      await useBackend({ name: 'ort', threads: 1 });
      model = await loadGoldenModel(name);
      read = goldenTensors(name, 'rome');
      const values = await goldenTensors(name, 'moments')(`moment/${golden.layer}`);
      moment = { kind: 'measured', values, size: Math.sqrt(values.length), tokens: values.length };
    });
    afterAll(() => model.dispose());

    it.each([
      ...VARIANTS.map((variant) => ['main', variant] as const),
      ...OTHER_CASES.flatMap((id) => VARIANTS.map((variant) => [id, variant] as const)),
    ])('check 16: whole pipeline of %s, %s', async (id, variant) => {
      const { request, options, value, variants, rows } = golden.cases[id]!;
      const expected = variants[variant]!;
      const before = tf.memory().numTensors;
      const edit = await rome({
        model,
        request: { prompt: request.prompt, subject: request.subject, targetNew: request.target },
        layer: golden.layer,
        keys: expected.keys,
        moment: variant.endsWith('identity') ? identityMoment : moment,
        contextTemplates: golden.templates,
        ...(values.has(id) ? { value: values.get(id)! } : {}),
        learningRate: options['lr']!,
        steps: options['steps']!,
        klFactor: options['kl_factor']!,
        weightDecay: options['decay']!,
        clampFactor: options['clamp']!,
        stopLoss: options['stop_loss']!,
      });
      values.set(id, edit.value);
      expect(tf.memory().numTensors).toBe(before);
      expect(edit.losses).toHaveLength(value.loss.length);
      edit.losses.forEach((loss, step) => {
        expect(loss).toBeCloseTo(value.loss[step]!, 3);
      });
      const left = await read(`${id}/${variant}/left`);
      const right = await read(`${id}/${variant}/right`);
      const expectedDelta = product([left], [right]);
      const delta = product([edit.delta.left], [edit.delta.right]);
      const error = relativeError(delta, expectedDelta);
      expect(figure(16, `ROME, tiny ${name}, relative`, error)).toBeLessThan(1e-4);
      const apart = 1 - cosine(delta, expectedDelta);
      expect(figure(16, `ROME, tiny ${name}, 1 - cosine`, apart)).toBeLessThan(1e-5);
      expect(relativeError(edit.delta.left, left)).toBeLessThan(1e-4);
      expect(relativeError(edit.delta.right, right)).toBeLessThan(1e-4);
      expect(edit.alarms.denominator / expected.denominator).toBeCloseTo(1, 4);
      expect(edit.alarms.keyCosine).toBeCloseTo(expected.key_cosine, 5);

      // The edited model says what the float64 model says, and the undone one what it said before.
      const tokens = rows[0]!.ids;
      const logits = async (): Promise<Float32Array> => {
        using result = model.forward([{ tokens }]);
        return (await result.lastLogits().data()) as Float32Array;
      };
      const unedited = await logits();
      using session = new EditSession(model);
      const applied = await session.apply([edit.delta]);
      expect(relativeError(await logits(), await read(`${id}/${variant}/logits`))).toBeLessThan(
        1e-4,
      );
      session.undo(applied);
      expect(await logits()).toEqual(unedited);
    });
  },
);
