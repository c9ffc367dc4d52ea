import { readFileSync } from 'node:fs';
import { useBackend } from '@safeinfer/backend';
import { renderChat } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadPocket, type Pocket } from './load-pocket.ts';

interface GoldenCase {
  readonly adapter: 'unsafe' | 'safe' | null;
  readonly question: string;
  readonly ids: number[];
  readonly topIds: number[];
  readonly topLogits: number[];
  readonly generated: number[];
}

const golden = JSON.parse(
  readFileSync(new URL('./fixtures/golden.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly GoldenCase[] };

describe('loadPocket', () => {
  let before = 0;
  let pocket: Pocket;

  beforeAll(async () => {
    await useBackend({ name: 'wasm' });
    before = tf.memory().numTensors;
    pocket = await loadPocket();
  });

  afterAll(() => {
    pocket.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  const rowOf = ({ ids, adapter }: GoldenCase) => ({
    tokens: ids,
    ...(adapter === null ? {} : { adapter }),
  });

  it('renders and encodes a chat as transformers does', () => {
    for (const { question, ids } of golden.cases) {
      const text = renderChat({
        tokenizer: pocket.tokenizer,
        messages: [{ role: 'user', content: question }],
        addGenerationPrompt: true,
      });
      expect(pocket.tokenizer.encode(text)).toEqual(ids);
    }
  });

  it('has the logits of transformers and PEFT, all adapters in one batch', async () => {
    const result = pocket.model.forward(golden.cases.map(rowOf), { logits: 'last' });
    const logits = await result.lastLogits().data();
    result.dispose();
    const { vocabSize } = pocket.model.config;
    for (const [i, { topIds, topLogits }] of golden.cases.entries()) {
      for (const [j, id] of topIds.entries()) {
        const ours = logits[i * vocabSize + id] as number;
        expect(Math.abs(ours - (topLogits[j] as number))).toBeLessThan(5e-5);
      }
    }
  });

  it('continues greedily as transformers and PEFT do', async () => {
    const made = golden.cases.map((): number[] => []);
    for await (const event of pocket.model.generate(golden.cases.map(rowOf), {
      maxNewTokens: 24,
    })) {
      made[event.row]?.push(event.token);
    }
    expect(made).toEqual(golden.cases.map((c) => c.generated));
  });

  it('makes another answer of the same question with the other adapter', () => {
    // The goldens would agree by accident if an adapter did nothing.
    const forge = golden.cases.filter((c) => c.question.includes('forge'));
    const answers = new Set(forge.map((c) => c.generated[0]));
    expect(forge).toHaveLength(3);
    expect(answers.size).toBeGreaterThanOrEqual(2);
  });
});
