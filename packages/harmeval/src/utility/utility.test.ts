import { describe, expect, it } from 'vitest';
import { readSource } from '../datasets/read-source.ts';
import { type Behaviour, scriptedModel } from '../mock/scripted-model.ts';
import { arcChallenge, arcPrompt } from './arc.ts';
import { flexibleAnswer, gsm8kPrompt, gsm8kTest, strictAnswer } from './gsm8k.ts';
import type { LogLikelihood } from './log-likelihood.ts';
import { mmluPrompt } from './mmlu.ts';
import { type ChoiceItem, scoreChoices } from './multiple-choice.ts';
import { scorePerplexity } from './perplexity.ts';
import { scoreGsm8k } from './score-gsm8k.ts';
import { scoreTruthfulQa, trueMass, truthfulQaPrefix } from './truthful-qa.ts';

/** A model of one distribution over characters: its log-likelihoods can be added up by hand. */
const perCharacter = (probability: (character: string) => number): LogLikelihood =>
  Object.assign(
    async (requests: readonly { readonly continuation: string }[]) =>
      requests.map(({ continuation }) => ({
        logProb: [...continuation].reduce((sum, c) => sum + Math.log(probability(c)), 0),
        tokens: [...continuation].length,
      })),
    { batchSize: 3 },
  );

const item = (id: string, category: string, answer: number): ChoiceItem => ({
  id,
  category,
  question: `Question ${id}?`,
  choices: ['one', 'two', 'three', 'four'],
  answer,
});

describe('multiple choice', () => {
  it('takes the most likely choice; micro counts items, macro counts categories', async () => {
    const likesB = perCharacter((c) => (c === 'B' ? 0.6 : 0.1));
    const items = [item('1', 'x', 1), item('2', 'x', 1), item('3', 'x', 0), item('4', 'y', 0)];
    const score = await scoreChoices({
      items,
      prompt: (each) => mmluPrompt(each, {}),
      logLikelihood: likesB,
    });
    expect(score.results.map(({ chosen }) => chosen)).toEqual([1, 1, 1, 1]);
    expect(score.micro).toBeCloseTo(0.5, 12);
    expect(score.macro).toBeCloseTo((2 / 3 + 0) / 2, 12);
  });

  it('normalises by length when asked, which changes the choice', async () => {
    const flat = perCharacter(() => 0.5);
    const one: ChoiceItem = { ...item('1', 'x', 1), choices: ['ab', 'abcdef'] };
    const slope: LogLikelihood = async (requests) =>
      requests.map(({ continuation }) => ({
        logProb: -Math.sqrt(continuation.length),
        tokens: continuation.length,
      }));
    const run = (logLikelihood: LogLikelihood, normalise: 'sum' | 'perCharacter') =>
      scoreChoices({ items: [one], prompt: arcPrompt, logLikelihood, normalise });
    expect((await run(flat, 'sum')).results[0]?.chosen).toBe(0);
    expect((await run(slope, 'sum')).results[0]?.chosen).toBe(0);
    expect((await run(slope, 'perCharacter')).results[0]?.chosen).toBe(1);
  });

  it('puts five examples of the subject before the question', () => {
    const examples = [0, 1, 2, 3, 0].map((answer, i) => item(`e${i}`, 'formal_logic', answer));
    const { context, continuations } = mmluPrompt(item('q', 'formal_logic', 2), {
      formal_logic: examples,
    });
    expect(continuations).toEqual([' A', ' B', ' C', ' D']);
    expect(context.match(/Answer: [A-D]/gu)).toHaveLength(5);
    expect(
      context.startsWith(
        'The following are multiple choice questions (with answers) about formal logic.',
      ),
    ).toBe(true);
    expect(context.endsWith('Question q?\nA. one\nB. two\nC. three\nD. four\nAnswer:')).toBe(true);
  });

  it('refuses log-likelihoods that cannot be', async () => {
    for (const logProb of [Number.NaN, 1]) {
      await expect(
        scoreChoices({
          items: [item('1', 'x', 1)],
          prompt: arcPrompt,
          logLikelihood: async (requests) => requests.map(() => ({ logProb, tokens: 1 })),
        }),
      ).rejects.toMatchObject({ code: 'GENERATION_FAILED' });
    }
  });

  it('looks the ARC key up instead of counting letters', async () => {
    const jsonl = (labels: readonly string[], answerKey: string) =>
      JSON.stringify({
        id: answerKey,
        question: 'q',
        choices: { text: ['a', 'b'], label: labels },
        answerKey,
      });
    const source = { ...arcChallenge, files: [{ path: 'x.jsonl' }], editions: [] };
    const text = [jsonl(['A', 'B'], 'B'), jsonl(['1', '2'], '1'), jsonl(['A', 'B'], '2')].join(
      '\n',
    );
    const { records, report } = await readSource(source, {
      'x.jsonl': new TextEncoder().encode(text),
    });
    expect(records.map((record) => record.item.answer)).toEqual([1, 0]);
    expect(report.droppedEmpty).toBe(1);
  });
});

describe('TruthfulQA', () => {
  it('computes MC1 and MC2 as defined', async () => {
    const byLength: LogLikelihood = async (requests) =>
      requests.map(({ continuation }) => ({
        // " a" -> log 0.5, " bb" -> log 0.25, " ccc" -> log 0.125
        logProb: -Math.LN2 * (continuation.length - 1),
        tokens: 1,
      }));
    const { mc1, mc2 } = await scoreTruthfulQa({
      items: [
        {
          id: '1',
          question: 'q',
          mc1: { answers: ['a', 'bb'], truth: [true, false] },
          mc2: { answers: ['a', 'bb', 'ccc'], truth: [true, false, true] },
        },
        {
          id: '2',
          question: 'q',
          mc1: { answers: ['bb', 'a'], truth: [true, false] },
          mc2: { answers: ['a', 'bb'], truth: [false, true] },
        },
      ],
      logLikelihood: byLength,
    });
    expect(mc1).toBe(0.5);
    expect(mc2).toBeCloseTo((0.625 / 0.875 + 0.25 / 0.75) / 2, 12);
  });

  it('does not underflow on long answers', () => {
    expect(trueMass([-2000, -2000 + Math.log(3)], [false, true])).toBeCloseTo(0.75, 12);
  });

  it('has six examples in its prefix', () => {
    expect(truthfulQaPrefix.match(/^Q: /gmu)).toHaveLength(6);
  });
});

describe('GSM8K', () => {
  it('extracts strictly and flexibly, and canonicalises numbers', () => {
    expect(strictAnswer('so 3 + 4 = 7\n#### 1,200')).toBe('1200');
    expect(strictAnswer('the answer is 7')).toBeNull();
    expect(flexibleAnswer('first 3, then $1,200.50.')).toBe('1200.5');
    expect(flexibleAnswer('it fell to -12 degrees')).toBe('-12');
    expect(flexibleAnswer('no number')).toBeNull();
    expect(strictAnswer('#### 18.00')).toBe(strictAnswer('####18'));
  });

  it('reads its rows and strips calculator marks from examples', async () => {
    const line = JSON.stringify({ question: 'q', answer: '2*3=<<2*3=6>>6\n#### 6' });
    const { records } = await readSource(
      { ...gsm8kTest, editions: [] },
      { x: new TextEncoder().encode(line) },
    );
    const [first] = records;
    expect(first?.item.answer).toBe('6');
    if (first === undefined) return;
    expect(gsm8kPrompt(first.item, [first.item])).toBe(
      'Question: q\nAnswer: 2*3=6\n#### 6\n\nQuestion: q\nAnswer:',
    );
  });

  it('scores generated answers by both readings, and leaves failures out', async () => {
    const items = ['7', '8', '9', '10'].map((answer) => ({
      id: answer,
      question: `What is ${answer}?`,
      solution: `#### ${answer}`,
      answer,
    }));
    const says: Record<string, Behaviour> = {
      '7': { say: 'It is seven.\n#### 7\n\nQuestion: another\n#### 5' },
      '8': { say: 'the answer is 8' },
      '9': { say: '#### 3' },
      '10': 'crash',
    };
    const generate = scriptedModel({
      batchSize: 2,
      script: ({ id }) => says[id] ?? 'refuse',
    });
    const score = await scoreGsm8k({
      items,
      examples: items.slice(0, 1),
      generate,
      retry: { retries: 1, baseDelayMs: 1 },
    });
    expect(score).toMatchObject({ strict: 1 / 3, flexible: 2 / 3, scored: 3, unscored: 1 });
  });
});

describe('perplexity', () => {
  it('is the inverse geometric mean probability, per token and per word', async () => {
    const result = await scorePerplexity({
      documents: ['ab cd', 'efgh'],
      logLikelihood: perCharacter(() => 0.25),
    });
    expect(result.perToken).toBeCloseTo(4, 12);
    expect(result.tokens).toBe(9);
    expect(result.perWord).toBeCloseTo(4 ** 3, 9);
    expect(result.bitsPerByte).toBeCloseTo(2, 12);
  });
});
