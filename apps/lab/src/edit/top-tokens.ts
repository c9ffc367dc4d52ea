// What a model says next: its likeliest tokens with their probabilities.
import type { Transformer } from '@safeinfer/transformer';

export interface TopToken {
  readonly text: string;
  readonly probability: number;
}

/** Per prompt the `count` likeliest next tokens; softmax in float64. */
export async function topTokens(
  model: Transformer,
  prompts: readonly string[],
  count: number,
): Promise<TopToken[][]> {
  if (prompts.length === 0) return [];
  const tokenizer = model.tokenizer!;
  const rows = prompts.map((prompt) => ({ tokens: tokenizer.encode(prompt) }));
  using result = model.forward(rows);
  const logits = await result.lastLogits().data();
  const { vocabSize } = model.config;
  return rows.map((_, row) => {
    const line = Float64Array.from(logits.subarray(row * vocabSize, (row + 1) * vocabSize));
    const best = line.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const total = line.reduce((sum, x) => sum + Math.exp(x - best), 0);
    return [...line.keys()]
      .sort((a, b) => line[b]! - line[a]!)
      .slice(0, count)
      .map((id) => ({
        text: tokenizer.decode([id]),
        probability: Math.exp(line[id]! - best) / total,
      }));
  });
}
