import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pocketFacts } from '@safeinfer/pocket';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { editSchema } from '../config/edit-schema.ts';
import { type EditPlan, planEdit } from './plan-edit.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-plan-edit-'));
  writeFileSync(join(folder, 'texts.txt'), 'one\ntwo\n');
  // A row as CounterFact has it.
  const row = {
    case_id: 7,
    requested_rewrite: {
      prompt: 'The mother tongue of {} is',
      subject: 'Someone',
      target_new: { str: 'English' },
      target_true: { str: 'French' },
    },
    paraphrase_prompts: [],
    neighborhood_prompts: [],
  };
  writeFileSync(join(folder, 'counterfact.json'), JSON.stringify([row]));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const plan = (edit: object, model = 'pocket'): Promise<readonly EditPlan[]> =>
  planEdit({
    edit: editSchema.parse({ name: 'e', ...edit }),
    model,
    experimentFile: join(folder, 'x.yaml'),
  });
const identity = async (edit: object): Promise<unknown> => (await plan(edit))[0]!.editor?.identity;

describe('planEdit', () => {
  it('knows every editor, with the bundled model’s settings and the given ones over them', async () => {
    const methods = await Promise.all(
      ['rome', 'memit', 'emmet', 'pmet', 'alphaEdit', 'ftM', 'ftL'].map(
        async (editor) =>
          (await plan({ [editor]: { facts: 'pocket' } }))[0]!.editor!.settings.method,
      ),
    );
    expect(methods).toEqual(['rome', 'memit', 'emmet', 'pmet', 'alphaEdit', 'ft-m', 'ft-l']);
    const [one] = await plan({ memit: { facts: 'pocket', layers: [1, 2], lambda: 4, steps: 9 } });
    expect(one!.editor!.settings).toMatchObject({
      layers: [1, 2],
      numbers: { lambda: 4, steps: 9, clampFactor: 4 },
      statistics: { from: 'bundled' },
    });
    const [preset] = await plan(
      { rome: { facts: 'pocket', preset: 'llama-2-7b-chat', steps: 3 } },
      'llama',
    );
    expect(preset!.editor!.settings).toMatchObject({
      layers: [5],
      keys: 'original',
      numbers: { steps: 3, learningRate: 0.5 },
      statistics: { from: 'identity' },
    });
  });

  it('gives several facts on one model the bundled model’s settings for that, and says why', async () => {
    const of = async (edit: object) => {
      const [{ editor }] = (await plan(edit)) as [EditPlan];
      const { layers, factToken, numbers, source } = editor!.settings;
      return { layers, factToken, ...numbers, source };
    };
    const facts = { facts: 'pocket', count: 3 };
    const together = { layers: [5, 6], factToken: 'last', clampFactor: 4 };
    expect(await of({ memit: facts })).toMatchObject({
      ...together,
      lambda: 700,
      source: 'bundled model, for several facts: 3 share one model',
    });
    expect(await of({ alphaEdit: { ...facts, batch: 1 } })).toMatchObject({
      ...together,
      ...{ l2: 40, nullSpaceThreshold: 0.3 },
    });
    // Alone on the model, whatever stands beside it, a fact has the settings of one; so it has when they are named.
    const one = { layers: [0], factToken: 'subjectLast', lambda: 10 };
    const alone = 'bundled model, for one fact';
    for (const memit of [
      { ...facts, count: 1 },
      { ...facts, apply: 'eachAlone' },
      { ...facts, preset: 'pocket' },
    ])
      expect(await of({ memit })).toMatchObject({ ...one, source: alone });
    expect(await of({ memit: { ...facts, count: 1, preset: 'pocket-several' } })).toMatchObject({
      ...together,
      source: 'bundled model, for several facts',
    });
    expect(await of({ memit: { ...facts, layers: [4], lambda: 5 } })).toMatchObject({
      ...{ layers: [4], factToken: 'subjectLast', lambda: 5 },
      source: expect.stringMatching(/^bundled model, for one fact: .*layers are given/) as string,
    });
    expect((await of({ rome: facts })).source).toBe(
      'bundled model, for one fact: 3 share one model, for which none were chosen with rome',
    );
    await expect(plan({ rome: { ...facts, preset: 'pocket-several' } })).rejects.toThrow(
      /no preset "pocket-several" for rome/,
    );
  });

  it('has one state for facts together and one for each that is written alone, the same as of that fact', async () => {
    const [together] = await plan({ memit: { facts: 'pocket', count: 5, batch: 2 } });
    expect(together!.requests).toHaveLength(5);
    expect(together!.editor!.batch).toBe(2);
    const alone = await plan({ memit: { facts: 'pocket', count: 3, apply: 'eachAlone' } });
    expect(alone.map(({ fact }) => fact!.name)).toEqual(
      pocketFacts()
        .slice(0, 3)
        .map(({ id }) => id),
    );
    const { id } = pocketFacts()[2]!;
    const [only] = await plan({ memit: { facts: 'pocket', only: [id] } });
    expect(alone[2]!.requests).toEqual(only!.requests);
    expect(alone[2]!.editor).toEqual(only!.editor);
  });

  it('reads the entries that the guide shows', () => {
    const guide = readFileSync(new URL('../../../../docs/editing.md', import.meta.url), 'utf8');
    const shown = /```yaml\n(edits:[\s\S]*?)```/.exec(guide)![1]!;
    const { edits } = parse(shown, { merge: true }) as { edits: unknown[] };
    expect(edits.map((edit) => editSchema.parse(edit).name)).toHaveLength(5);
  });

  it('takes facts spread over a file, and files of other tools', async () => {
    const subjects = ([one]: readonly EditPlan[]): number =>
      new Set(one!.requests.map(({ subject }) => subject)).size;
    const facts = { facts: 'pocket', count: 8 } as const;
    expect(subjects(await plan({ rome: facts }))).toBeLessThan(4);
    expect(subjects(await plan({ rome: { ...facts, pick: 'spread' } }))).toBe(8);
    const [file] = await plan({ rome: { facts: { path: 'counterfact.json' } } });
    expect(file!.requests[0]).toMatchObject({ id: '7', subject: 'Someone', targetNew: 'English' });
  });

  it('changes identity with the bytes of statistics, not with their source’s name or a control', async () => {
    const texts = { facts: 'pocket', collect: 'texts.txt' } as const;
    const before = await identity({ memit: texts });
    writeFileSync(join(folder, 'copy.txt'), 'one\ntwo\n');
    expect(await identity({ memit: { ...texts, collect: 'copy.txt' } })).toEqual(before);
    expect(await identity({ memit: { ...texts, control: 'random' } })).toEqual(before);
    writeFileSync(join(folder, 'copy.txt'), 'one\ntoo\n');
    expect(await identity({ memit: { ...texts, collect: 'copy.txt' } })).not.toEqual(before);
    expect(await identity({ memit: { ...texts, contexts: 'bare' } })).not.toEqual(before);
  });

  it.each([
    [
      'no statistics for an editor that needs them',
      { memit: { facts: 'pocket', layers: [1], lambda: 2 } },
      /edit "e": memit needs second moments/,
      'other',
    ],
    [
      'a published setting without its statistics',
      { rome: { facts: 'pocket', preset: 'gpt2-xl' } },
      /"gpt2-xl" is ROME with measured/,
      'other',
    ],
    ['no layer', { rome: { facts: 'pocket' } }, /nothing says which layer/, 'other'],
    [
      'a missing number',
      { emmet: { facts: 'pocket', layer: 1, collect: 'texts.txt' } },
      /needs momentScale and damp/,
      'other',
    ],
    [
      'an unknown preset',
      { rome: { facts: 'pocket', preset: 'gpt2-xxl' } },
      /no preset "gpt2-xxl" for rome/,
      'pocket',
    ],
    [
      'texts that are not there',
      { memit: { facts: 'pocket', collect: 'absent.txt' } },
      /cannot read the statistics.*absent/,
      'pocket',
    ],
    [
      'facts that are not there',
      { rome: { facts: { path: 'absent.json' } } },
      /cannot read .*absent\.json/,
      'pocket',
    ],
    [
      'an unknown fact',
      { rome: { facts: 'pocket', only: ['nobody'] } },
      /no fact "nobody"/,
      'pocket',
    ],
    [
      'more facts than there are',
      { rome: { facts: { path: 'counterfact.json' }, count: 2 } },
      /there are 1 facts, and count asks for 2/,
      'pocket',
    ],
  ])('refuses %s before a model is loaded, with a remedy', async (_, edit, message, model) => {
    await expect(plan(edit, model)).rejects.toThrow(message);
    await expect(plan(edit, model)).rejects.toMatchObject({ hint: expect.stringMatching(/.{10}/) });
  });
});
