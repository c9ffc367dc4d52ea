// Why PMET does or does not take on pocket: probability of the new object with the attention's shift alone, the MLP's alone, both,
// after PMET wrote the MLP's, and after MEMIT with the same search. Facts are tuning facts.
// Run: pnpm tsx --conditions=@safeinfer/source packages/editing/bench/pocket-pmet.ts [--token last --layers 5,6] [--n 6]
import { parseArgs } from 'node:util';
import { useBackend } from '@safeinfer/backend';
import { loadPocket } from '@safeinfer/pocket';
import {
  collectMoments,
  contextTemplates,
  EditSession,
  type LowRankDelta,
  memit,
  pmet,
  scoreTargets,
} from '../src/index.ts';
import { prepareEdit } from '../src/request/prepare-edit.ts';
import { optimiseShifts } from '../src/value/optimise-shifts.ts';
import { attentionPoint, valuePoint } from '../src/value/optimise-value.ts';
import { factsOf, statisticsTexts } from './pocket-cases.ts';

const { values: flags } = parseArgs({
  options: {
    token: { type: 'string', default: 'subjectLast' },
    layers: { type: 'string', default: '0' },
    n: { type: 'string', default: '6' },
  },
});
await useBackend({ name: 'ort', threads: 1 });
using pocket = await loadPocket();
const { model, tokenizer } = pocket;
const templates = [
  '{}',
  ...(await contextTemplates({ model, seed: 1, style: 'memit', lengths: [[6, 5]] })).slice(1),
];
const layers = flags.layers.split(',').map(Number);
const layer = layers.at(-1)!;
const points = [attentionPoint(model, layer), valuePoint(model, layer)];
const factToken = flags.token === 'last' ? ('last' as const) : ('subjectLast' as const);
const moments = await collectMoments({ model, layers, texts: statisticsTexts(tokenizer) });
const settings = {
  learningRate: 1,
  steps: 120,
  weightDecay: 1e-3,
  clampFactor: 4,
  klFactor: 0.0625,
  stopLoss: 0.05,
};
for (const fact of factsOf('tune', Number(flags.n))) {
  const request = { prompt: fact.prompt, subject: fact.subject, targetNew: fact.target_new };
  const edit = prepareEdit({ model, request, factToken, contextTemplates: templates });
  const { contexts, target, essence } = edit;
  const { tokens, lookup } = contexts[0]!;
  const shifts = await optimiseShifts({
    model,
    layer,
    points,
    contexts,
    target,
    essence,
    settings,
    adaptive: { nllFactor: 1, settledFactor: 0.1, settledKl: 0.01 },
  });
  /** Of the first target token, with the shifts at these points in place. */
  const shifted = async (which: readonly number[]): Promise<number> => {
    const interventions = which.map((i) => ({
      at: points[i]!,
      op: 'add' as const,
      vector: Float32Array.from(shifts[i]!.delta),
      positions: [lookup],
    }));
    using result = model.forward([{ tokens: [...tokens], interventions }]);
    const logits = Float64Array.from(await result.lastLogits().data());
    const highest = logits.reduce((a, b) => Math.max(a, b));
    const total = logits.reduce((sum, x) => sum + Math.exp(x - highest), 0);
    return Math.exp(logits[target[0]!]! - highest) / total;
  };
  const written = async (deltas: readonly LowRankDelta[]): Promise<number> => {
    using session = new EditSession(model);
    await session.apply([...deltas]);
    const [score] = await scoreTargets(model, [{ prompt: tokens, target: target.slice(0, 1) }]);
    return Math.exp(-score!.nll);
  };
  const shared = {
    model,
    requests: [request],
    layers,
    factToken,
    contextTemplates: templates,
    ...settings,
    lambda: 10,
    moments,
  };
  const row = {
    attention: await shifted([0]),
    mlp: await shifted([1]),
    both: await shifted([0, 1]),
    pmet: await written((await pmet(shared)).deltas),
    memit: await written((await memit(shared)).deltas),
  };
  console.log(
    fact.id,
    Object.entries(row)
      .map(([name, p]) => `${name} ${p.toPrecision(2)}`)
      .join(', '),
  );
}
