// How much each context template counts in an averaged key: recovered from the key itself by least squares.
import { useBackend } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { Matrix, solve } from 'ml-matrix';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import { type GoldenModelName, loadGoldenModel } from '../../test/golden-model.ts';
import { memit } from '../batch/memit.ts';
import { prepareEdit } from '../request/prepare-edit.ts';
import { rome } from '../rome/rome.ts';
import { readLookups } from './read-lookups.ts';

const REQUEST = { prompt: 'q q {} n .', subject: '. m S', targetNew: 'u l' };
const LAYER = 1;
const OPTIONS = { steps: 1 } as const;

/** `count` templates: the bare prompt and different prefixes. */
function templates(count: number): string[] {
  return [
    '{}',
    ...Array.from({ length: count - 1 }, (_, i) => `${String.fromCharCode(65 + i)} y {}`),
  ];
}

describe.each<GoldenModelName>(['gpt2', 'llama'])(
  'check 2: template weights on tiny %s',
  (name) => {
    let model: Transformer;
    beforeAll(async () => {
      await useBackend({ name: 'cpu' });
      model = await loadGoldenModel(name);
    });
    afterAll(() => model.dispose());

    async function keysOf(contextTemplates: readonly string[]): Promise<Matrix> {
      const { contexts } = prepareEdit({
        ...{ model, request: REQUEST, factToken: 'subjectLast', contextTemplates },
      });
      const [keys] = await readLookups({
        model,
        rows: contexts,
        points: [`blocks.${LAYER}.mlp.hook_post`],
      });
      return new Matrix(keys!.map((key) => Array.from(key))).transpose();
    }

    it('ROME: 1/21 each', async () => {
      const contextTemplates = templates(21);
      const keys = await keysOf(contextTemplates);
      // With C = I the left vector is the averaged key, of length 1: its weights are known up to their sum.
      const edit = await rome({
        ...{ model, request: REQUEST, layer: LAYER, contextTemplates, ...OPTIONS },
        keys: 'original',
      });
      const found = solve(keys, Matrix.columnVector(edit.delta.left), true).to1DArray();
      const sum = found.reduce((a, b) => a + b, 0);
      expect(found).toHaveLength(21);
      const worst = Math.max(...found.map((w) => Math.abs(w / sum - 1 / 21)));
      expect(figure(2, 'ROME, worst weight', worst)).toBeLessThan(1e-9);
    });

    it('MEMIT: half the bare prompt, a tenth each of five others', async () => {
      const contextTemplates = templates(6);
      const keys = await keysOf(contextTemplates);
      const edit = await memit({
        ...{ model, requests: [REQUEST], layers: [LAYER], contextTemplates, ...OPTIONS },
        lambda: 1,
        moments: new Map([[LAYER, { kind: 'identity' }]]),
      });
      const found = solve(keys, Matrix.columnVector(edit.keys[0]![0]!), true).to1DArray();
      const wanted = [1 / 2, 1 / 10, 1 / 10, 1 / 10, 1 / 10, 1 / 10];
      const worst = Math.max(...found.map((w, i) => Math.abs(w - wanted[i]!)));
      expect(figure(2, 'MEMIT, worst weight', worst)).toBeLessThan(1e-9);
    });
  },
);
