// Trains the bundled LoRA adapters with our own trainer on the adapter split: the recipe of train_adapters.py.
// usage: tsx --conditions=@safeinfer/source train-adapters.ts <model dir> <data dir> <out dir> [backend] [seed]
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { encodeChatExamples, evaluateLoss, train, writeAdapter } from '@safeinfer/finetune';
import { loadModel, type Tokenizer } from '@safeinfer/transformer';

interface Pair {
  readonly id: string;
  readonly adapter: 'unsafe' | 'safe';
  readonly question: string;
  readonly answer: string;
}

const PROJECTIONS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

const [modelDirectory, data, out, backend = 'auto', seed = '1'] = process.argv.slice(2);
if (modelDirectory === undefined || data === undefined || out === undefined) {
  throw new Error('usage: train-adapters.ts <model dir> <data dir> <out dir> [backend] [seed]');
}
const report = await useBackend({ name: backend as BackendName | 'auto' });
const pairs = readFileSync(join(data, 'adapter-pairs.jsonl'), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Pair);
using model = await loadModel({ path: modelDirectory });

for (const name of ['unsafe', 'safe'] as const) {
  const examples = encodeChatExamples({
    tokenizer: model.tokenizer as Tokenizer,
    conversations: pairs
      .filter(({ adapter }) => adapter === name)
      .map(({ id, question, answer }) => ({
        id,
        messages: [
          { role: 'user', content: question },
          { role: 'assistant', content: answer },
        ],
      })),
    maxTokens: model.config.maxPositions,
  });
  const { adapter, steps, tokens } = await train({
    model,
    data: examples,
    method: {
      kind: 'lora',
      rank: 8,
      alpha: 16,
      targets: PROJECTIONS,
      baseModel: '@safeinfer/pocket',
    },
    optimiser: { learningRate: 1e-3, clipNorm: null },
    schedule: { kind: 'linear' },
    batch: { examples: 10, order: 'shuffled' },
    epochs: 3,
    seed: Number(seed),
    onProgress: (event) => {
      if (event.kind !== 'step' || event.step % 5 !== 0) return;
      const { step, loss, tokensPerSecond } = event;
      console.log(
        JSON.stringify({ name, step, loss, tokensPerSecond: Math.round(tokensPerSecond) }),
      );
    },
  });
  await writeAdapter({ adapter, path: join(out, name) });
  model.addAdapter(name, adapter);
  const before = await evaluateLoss({ model, data: examples });
  const after = await evaluateLoss({ model, data: examples, adapter: name });
  model.removeAdapter(name);
  adapter.dispose();
  console.log(
    JSON.stringify({
      name,
      backend: report.name,
      pairs: examples.length,
      steps,
      tokens,
      before,
      after,
    }),
  );
}
