// Check 32 on the bundled model: what the sheet asks of gpt2-xl ("LeBron James plays the sport of" -> football), of ten facts.
// gpt2 itself was not run: its weights are not at hand. CHECKS.md has the command for who has them.
import { useBackend } from '@safeinfer/backend';
import { loadPocket, loadPocketSplit, type Pocket } from '@safeinfer/pocket';
import { renderChat } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { caseOf, factsOf, statisticsTexts } from '../bench/pocket-cases.ts';
import {
  collectMoments,
  contextTemplates,
  EditSession,
  type MeasuredMoment,
  perplexities,
  scoreTargets,
} from '../src/index.ts';
import { figure } from './figures.ts';

/** Settings chosen on other facts (docs/editing.md, section 6), with a stop that lets p pass 0.9. */
const LAYER = 0;
const VALUE = { learningRate: 1, steps: 120, weightDecay: 1e-3, clampFactor: 4, stopLoss: 0.02 };
const FACTS = factsOf('test', 10);

describe('check 32: ten single ROME edits of the bundled model', () => {
  let pocket: Pocket;
  let moment: MeasuredMoment;
  let templates: readonly string[];
  let texts: readonly (readonly number[])[];
  const probability: number[] = [];
  const before: number[] = [];
  const neighbours = { kept: 0, of: 0 };
  const ratios: number[] = [];
  let usual: number;

  beforeAll(async () => {
    await useBackend({ name: 'ort', threads: 2 });
    pocket = await loadPocket();
    const { model, tokenizer } = pocket;
    const layers = [LAYER];
    moment = (await collectMoments({ model, layers, texts: statisticsTexts(tokenizer) })).get(
      LAYER,
    )!;
    templates = await contextTemplates({ model, seed: 1, style: 'memit', lengths: [[6, 5]] });
    // Fifty questions and answers that neither the statistics nor any setting has seen.
    texts = loadPocketSplit('how-to', 'test')
      .slice(0, 50)
      .map(({ question: content, answer }) => [
        ...tokenizer.encode(
          renderChat({
            tokenizer,
            messages: [{ role: 'user', content }],
            addGenerationPrompt: true,
          }),
        ),
        ...tokenizer.encode(` ${answer}`, { addSpecialTokens: false }),
      ]);
    expect(texts).toHaveLength(50);
    usual = await perplexity();
  });
  afterAll(() => pocket.dispose());

  /** Mean negative log-likelihood a token of all texts, as ME-PPL weighs them. */
  async function perplexity(): Promise<number> {
    const each = await perplexities(pocket.model, texts);
    const counts = texts.map(({ length }) => length - 1);
    const total = each.reduce((sum, p, i) => sum + Math.log(p) * counts[i]!, 0);
    return Math.exp(total / counts.reduce((a, b) => a + b, 0));
  }

  it.each(FACTS.map((fact) => [fact.id, fact] as const))('edits %s', async (_, fact) => {
    const { model, tokenizer } = pocket;
    const tensors = tf.memory().numTensors;
    const { rewrite, neighborhood, targetNew } = caseOf(fact);
    const plain = (text: string): number[] =>
      tokenizer.encode(` ${text}`, { addSpecialTokens: false });
    const items = [
      { prompt: tokenizer.encode(rewrite[0] as string), target: plain(targetNew as string) },
      ...neighborhood.map((entry) => {
        const { prompt, targetTrue } = entry as { prompt: string; targetTrue: string };
        return { prompt: tokenizer.encode(prompt), target: plain(targetTrue) };
      }),
    ];
    const unedited = await scoreTargets(model, items);
    {
      using session = new EditSession(model);
      const { prompt, subject } = fact;
      await session.edit(
        { prompt, subject, targetNew: fact.target_new },
        { kind: 'rome', layer: LAYER, moment, contextTemplates: templates, ...VALUE },
      );
      const edited = await scoreTargets(model, items);
      const p = (nll: number): number => Math.exp(-nll * items[0]!.target.length);
      before.push(p(unedited[0]!.nll));
      probability.push(p(edited[0]!.nll));
      for (const [i, { predicted }] of unedited.entries()) {
        if (i === 0) continue;
        neighbours.of += 1;
        if (edited[i]!.predicted.every((id, t) => id === predicted[t])) neighbours.kept += 1;
      }
      ratios.push((await perplexity()) / usual);
    }
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('p(new object) >= 0.9, neighbours keep their argmax, perplexity of 50 held-out texts within 2 %', async () => {
    // Each edit was undone behind itself.
    expect(await perplexity()).toBe(usual);
    expect(probability).toHaveLength(FACTS.length);
    expect(Math.max(...before)).toBeLessThan(0.1);
    const least = Math.min(...probability);
    figure(32, 'p(new object), least of ten facts', least, 'share');
    figure(32, 'p(new object) before, largest of ten', Math.max(...before));
    const share = neighbours.kept / neighbours.of;
    figure(32, `neighbours that keep their argmax, share of ${neighbours.of}`, share, 'share');
    const drift = Math.max(...ratios.map((ratio) => Math.abs(ratio - 1)));
    figure(32, 'perplexity away from unedited, largest of ten', drift);
    expect(least).toBeGreaterThanOrEqual(0.9);
    expect(neighbours.of).toBeGreaterThan(50);
    expect(share).toBe(1);
    expect(drift).toBeLessThan(0.02);
  });
});
