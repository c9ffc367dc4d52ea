import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkRequest } from '../request/edit-request.ts';
import { asCounterFact, rewritePrompt } from './edit-case.ts';
import { parseCases, readCases } from './read-cases.ts';

const shared =
  process.env['SAFEINFER_SHARED'] ?? resolve(import.meta.dirname, '../../../../../shared');
const counterFactFile = join(shared, 'data/counterfact/counterfact-edit-1k.json');

const counterFact = {
  case_id: 7,
  requested_rewrite: {
    prompt: 'The capital of {} is',
    relation_id: 'P36',
    target_new: { str: 'Lisbon', id: 'Q597' },
    target_true: { str: 'Paris', id: 'Q90' },
    subject: 'France',
  },
  paraphrase_prompts: ['It rained. The capital city of France is'],
  neighborhood_prompts: ['The city of the Louvre is'],
  attribute_prompts: [],
  generation_prompts: ['In France, people'],
};
const zsre = {
  subject: 'France',
  src: 'What is the capital of France?',
  pred: 'Lyon',
  rephrase: 'Which city is the capital of France?',
  alt: 'Lisbon',
  answers: ['Paris', 'the city of Paris'],
  loc: 'nq question: who wrote hamlet',
  loc_ans: 'Shakespeare',
  cond: 'Lyon >> Lisbon || ...',
};
const knowEdit = {
  subject: 'France',
  prompt: 'The capital of France is',
  target_new: 'Lisbon',
  ground_truth: ['Paris'],
  rephrase: 'The capital city of France is',
  portability: {
    Reasoning: [
      { prompt: 'The river in the capital of France is the', ground_truth: [['Tagus', 'Tejo']] },
    ],
    Subject_Aliasing: [{ prompt: 'The capital of the Hexagon is', ground_truth: 'Lisbon' }],
  },
  locality: {
    Relation_Specificity: [{ prompt: 'The continent of France is', ground_truth: ['Europe'] }],
  },
};

describe('parseCases', () => {
  it('reads CounterFact', () => {
    const [one] = parseCases([counterFact]);
    expect(one).toMatchObject({
      id: '7',
      layout: 'counterfact',
      request: { prompt: 'The capital of {} is', subject: 'France', targetNew: 'Lisbon' },
      targetTrue: 'Paris',
      locality: [{ prompt: 'The city of the Louvre is', target: 'Paris' }],
      generationPrompts: ['In France, people'],
    });
    expect(rewritePrompt(one!.request)).toBe('The capital of France is');
    expect(asCounterFact(one!)).toMatchObject({
      paraphrase: ['It rained. The capital city of France is'],
      neighborhood: [{ targetTrue: 'Paris' }],
    });
  });

  it("reads zsRE, with the reference's target or EasyEdit's", () => {
    const [one] = parseCases([zsre]);
    expect(one!.request.targetNew).toBe('Paris');
    expect(one!.locality).toEqual([
      { kind: 'neighborhood', prompt: 'nq question: who wrote hamlet?', target: 'Shakespeare' },
    ]);
    expect(checkRequest(one!.request).prompt).toBe('What is the capital of {}?');
    expect(parseCases([zsre], { zsreTarget: 'alt' })[0]!.request.targetNew).toBe('Lisbon');
    expect(asCounterFact(one!)).toBeUndefined();
  });

  it('reads KnowEdit, with nested answers', () => {
    const [one] = parseCases([knowEdit]);
    expect(one!.portability).toEqual([
      { kind: 'Reasoning', prompt: 'The river in the capital of France is the', target: 'Tagus' },
      { kind: 'Subject_Aliasing', prompt: 'The capital of the Hexagon is', target: 'Lisbon' },
    ]);
    expect(one!.locality[0]).toEqual({
      kind: 'Relation_Specificity',
      prompt: 'The continent of France is',
      target: 'Europe',
    });
    expect(one!.targetTrue).toBe('Paris');
  });

  it('reads our own layout, and refuses what it does not know in it', () => {
    const own = { prompt: 'The capital of {} is', subject: 'France', targetNew: 'Lisbon' };
    expect(parseCases([own, own], { limit: 1 })).toEqual([
      expect.objectContaining({ id: '0', layout: 'own', request: own, paraphrases: [] }),
    ]);
    expect(() => parseCases([{ ...own, paraphrase: ['?'] }])).toThrow(/row 0.*paraphrase/);
  });

  it.each([
    ['no list', { rows: [] }, /no rows/],
    ['an empty list', [], /no rows/],
    ['rows of another kind', [{ question: '?' }], /no layout/],
    [
      'a missing member',
      [counterFact, { ...counterFact, requested_rewrite: {} }],
      /row 1: requested_rewrite.prompt/,
    ],
    ['an empty target', [{ ...zsre, answers: [] }], /row 0: answers/],
  ])('refuses %s', (_, rows, message) => {
    expect(() => parseCases(rows)).toThrow(
      expect.objectContaining({
        code: 'BAD_DATASET',
        message: expect.stringMatching(message) as string,
      }),
    );
  });
});

describe('readCases', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cases-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('says which file, and that an LFS pointer is no data', async () => {
    await expect(readCases(join(folder, 'none.json'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const pointer = join(folder, 'pointer.json');
    await writeFile(pointer, 'version https://git-lfs.github.com/spec/v1\noid sha256:d017\n');
    await expect(readCases(pointer)).rejects.toMatchObject({
      code: 'BAD_DATASET',
      hint: expect.stringMatching(/LFS/) as string,
    });
  });

  it.runIf(existsSync(counterFactFile))(
    'reads 1,000 rows of CounterFact; only subjects that occur twice are refused as requests',
    async () => {
      const cases = await readCases(counterFactFile);
      expect(cases).toHaveLength(1000);
      const refused = cases.filter(({ request }) => {
        try {
          checkRequest(request);
          return false;
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_ARGUMENT' });
          return true;
        }
      });
      for (const { request } of refused)
        expect(request.prompt.split(request.subject).length).toBeGreaterThan(2);
      expect(refused.length).toBeLessThan(20);
      expect(cases.every((one) => asCounterFact(one)?.neighborhood.length === 1)).toBe(true);
    },
  );
});
