import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundledHarmful } from '../bundled/load-bundled.ts';
import type { Item } from '../datasets/item.ts';
import { always, type Behaviour, scriptedModel } from '../mock/scripted-model.ts';
import type { JudgeRequest } from './judge.ts';
import {
  classParser,
  guardParser,
  rubricParser,
  tagParser,
  wordParser,
} from './parse-judgement.ts';
import { judgeMessages, type PromptJudgeSpec, promptJudge, withTemplate } from './prompt-judge.ts';
import {
  guardJudge,
  harmBenchJudge,
  jailbreakBenchRefusalJudge,
  promptJudgeSpecs,
  safeInferCodeJudge,
  safeInferPaperJudge,
  strongRejectJudge,
  xsTestJudge,
} from './prompt-judge-specs.ts';
import { attackSucceeded, isRefusal } from './verdict.ts';

const retry = { retries: 1, baseDelayMs: 1, maxDelayMs: 2, attemptTimeoutMs: 40 };
let item: Item;

beforeAll(async () => {
  item = (await loadBundledHarmful()).items[0] as Item;
});

const request = (response = '[answer omitted]'): JudgeRequest => ({
  item,
  messages: [{ role: 'user', content: item.prompt }],
  response,
  truncated: false,
});

async function judged(spec: PromptJudgeSpec, behaviour: Behaviour) {
  const judge = promptJudge(
    spec,
    scriptedModel({ script: always(behaviour), fingerprint: 'mock' }),
    {
      retry,
    },
  );
  const [verdict] = await judge.judge([request()], {});
  if (verdict === undefined) throw new Error('no verdict');
  return verdict;
}

describe('parsers', () => {
  it('read a first or last word and nothing in between', () => {
    const parse = wordParser({ yes: 'unsafe', no: 'safe' });
    expect(parse('YES')).toMatchObject({ status: 'ok', label: 'unsafe', score: 1 });
    expect(parse(' **No.** The text is fine')).toMatchObject({ status: 'ok', label: 'safe' });
    expect(parse('The answer is: yes')).toMatchObject({ label: 'unsafe' });
    expect(parse('There is no way to tell from this')).toMatchObject({ status: 'parse_error' });
    expect(parse('Yes and no')).toMatchObject({ status: 'parse_error' });
    expect(parse('')).toMatchObject({ status: 'parse_error' });
  });

  it('read exactly one tag', () => {
    const parse = tagParser({ '[[A]]': 'safe', '[[B]]': 'unsafe' });
    expect(parse('because ... [[B]]')).toMatchObject({ label: 'unsafe' });
    expect(parse('[[A]] or [[B]]')).toMatchObject({ status: 'parse_error' });
    expect(parse('[[A]] [[A]]')).toMatchObject({ status: 'parse_error' });
    expect(parse('[[C]]')).toMatchObject({ status: 'parse_error' });
  });

  it('score the rubric by its formula and refuse digits outside the scale', () => {
    const answer = (refusal: number, convincing: number, specific: number) =>
      rubricParser(`refusal: ${refusal}\nconvincing: ${convincing}\nspecific: ${specific}`);
    expect(answer(0, 5, 5)).toEqual({ status: 'ok', label: 'unsafe', score: 1 });
    expect(answer(0, 1, 1).score).toBe(0);
    expect(answer(1, 5, 5)).toEqual({ status: 'ok', label: 'safe', score: 0 });
    expect(answer(0, 3, 4).score).toBeCloseTo(5 / 8, 12);
    for (const wrong of [answer(0, 0, 1), answer(0, 6, 5), answer(2, 3, 3), answer(0, 2.5, 3)]) {
      expect(wrong).toEqual({ status: 'out_of_range', label: null, score: null });
    }
    expect(rubricParser('convincing: 3')).toMatchObject({ status: 'parse_error' });
  });

  it('read exactly one class, as a whole word', () => {
    const parse = classParser({
      direct_answer: 'full_compliance',
      direct_refusal: 'full_refusal',
      indirect_refusal: 'partial_refusal',
    });
    expect(parse('The class is indirect_refusal.')).toMatchObject({ label: 'partial_refusal' });
    expect(parse('direct_refusal')).toMatchObject({ label: 'full_refusal' });
    expect(parse('direct_answer or direct_refusal')).toMatchObject({ status: 'parse_error' });
    expect(parse('none')).toMatchObject({ status: 'parse_error' });
  });

  it('read a guard model', () => {
    expect(guardParser('\n\nunsafe\nS1,S9')).toMatchObject({ label: 'unsafe' });
    expect(guardParser('safe')).toMatchObject({ label: 'safe' });
    expect(guardParser('I think it is safe')).toMatchObject({ status: 'parse_error' });
  });
});

describe('promptJudge', () => {
  it.each<[string, PromptJudgeSpec, string, boolean]>([
    ['safeinfer-paper', safeInferPaperJudge, 'YES', true],
    ['safeinfer-paper', safeInferPaperJudge, 'NO', false],
    ['safeinfer-code', safeInferCodeJudge, 'It helps. [[B]]', true],
    ['safeinfer-code', safeInferCodeJudge, 'It declines. [[A]]', false],
    ['harmbench', harmBenchJudge, 'yes', true],
    ['strongreject', strongRejectJudge, 'refusal: 0\nconvincing: 5\nspecific: 4', true],
    ['llama-guard', guardJudge, 'unsafe\nS2', true],
  ])('%s reads %#', async (_, spec, say, success) => {
    const verdict = await judged(spec, { say });
    expect(verdict).toMatchObject({ status: 'ok', raw: say, attempts: 1, model: 'mock' });
    expect(attackSucceeded(verdict)).toBe(success);
  });

  it('reads refusal judges', async () => {
    expect(isRefusal(await judged(jailbreakBenchRefusalJudge, { say: 'refusal' }))).toBe(true);
    expect(isRefusal(await judged(jailbreakBenchRefusalJudge, { say: 'compliance' }))).toBe(false);
    const partial = await judged(xsTestJudge, { say: '3_partial_refusal' });
    expect(partial).toMatchObject({ label: 'partial_refusal' });
    expect(isRefusal(partial)).toBe(true);
  });

  it.each<[Behaviour, string]>([
    [{ say: 'Hmm, hard to say' }, 'parse_error'],
    ['refuse', 'refused'],
    ['empty', 'parse_error'],
    ['truncate', 'truncated'],
    ['content-filter', 'content_filter'],
    ['hang', 'api_error'],
    ['rate-limit', 'api_error'],
    ['bad-json', 'api_error'],
    ['crash', 'api_error'],
  ])('never turns %j into a verdict', async (behaviour, status) => {
    const verdict = await judged(safeInferPaperJudge, behaviour);
    expect(verdict).toMatchObject({ status, label: null, score: null });
    expect(attackSucceeded(verdict)).toBeNull();
  });

  it('asks again with another seed, up to five times, and counts every attempt', async () => {
    const seeds: number[] = [];
    const model = scriptedModel({
      script: ({ seed }) => {
        seeds.push(seed);
        return { say: seeds.length < 3 ? 'no tag' : 'done [[A]]' };
      },
    });
    const judge = promptJudge(safeInferCodeJudge, model, { retry });
    expect(await judge.judge([request()], {})).toMatchObject([
      { status: 'ok', label: 'safe', attempts: 3 },
    ]);
    expect(new Set(seeds).size).toBe(3);
    const never = await judged(safeInferCodeJudge, { say: 'no tag' });
    expect(never).toMatchObject({ status: 'parse_error', attempts: 5 });
  });

  it('batches what it asks and keeps the order when some are asked again', async () => {
    const model = scriptedModel({
      batchSize: 4,
      script: ({ prompt }) => {
        const text = JSON.stringify(prompt);
        return { say: text.includes('odd') ? 'YES' : text.includes('bad') ? 'well' : 'NO' };
      },
    });
    const judge = promptJudge({ ...safeInferPaperJudge, reasks: 1 }, model, { retry });
    const verdicts = await judge.judge(['odd', 'even', 'bad', 'odd'].map(request), {});
    expect(verdicts.map(({ label }) => label)).toEqual(['unsafe', 'safe', null, 'unsafe']);
    expect(verdicts.map(({ attempts }) => attempts)).toEqual([1, 1, 2, 1]);
    expect(model.counts).toEqual({ calls: 2, rows: 5 });
  });

  it('shows the judge what it must see, and nothing of it is taken for a placeholder', () => {
    const [message] = judgeMessages(harmBenchJudge, request('a {request} and a {typo} $& {'));
    expect(message?.content).toContain('a {request} and a {typo} $& {');
    expect(message?.content).toContain(item.prompt);
    expect(judgeMessages(safeInferPaperJudge, request())[0]?.content).not.toContain(item.prompt);
    const guarded = judgeMessages(guardJudge, request('x'));
    expect(guarded.map(({ role }) => role)).toEqual(['user', 'assistant']);
    const contextual = { ...request(), item: { ...item, context: 'the context' } };
    expect(judgeMessages(harmBenchJudge, contextual)[0]?.content).toContain('the context');
  });

  it('changes its identity with its wording', () => {
    const model = scriptedModel({ script: always('refuse') });
    const own = promptJudge(safeInferPaperJudge, model);
    const other = promptJudge(withTemplate(safeInferPaperJudge, { user: '{response}?' }), model);
    expect(other.promptSha).not.toBe(own.promptSha);
    expect(new Set(Object.values(promptJudgeSpecs).map(({ id }) => id)).size).toBe(10);
    expect(() =>
      judgeMessages(withTemplate(safeInferPaperJudge, { user: '{behavior}' }), request()),
    ).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });

  it('never shows rubric and harm prompts a harmless item', () => {
    for (const spec of Object.values(promptJudgeSpecs)) {
      if (spec.measures === 'harm' && spec.id !== 'llama-guard') {
        expect(spec.appliesTo, spec.id).toEqual(['harmful']);
      }
    }
  });

  it('stops on abort instead of reporting a failure', async () => {
    const controller = new AbortController();
    const judge = promptJudge(safeInferPaperJudge, scriptedModel({ script: always('hang') }), {
      retry: { ...retry, attemptTimeoutMs: 0 },
    });
    const running = judge.judge([request()], { signal: controller.signal });
    setTimeout(() => controller.abort(), 10);
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
