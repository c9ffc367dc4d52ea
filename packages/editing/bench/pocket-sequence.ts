// Edits one after the other on pocket: what the edits and everything else look like after 0, 1, 2, 5, 10, 20 of them.
// Harmless accuracy is greedy: every token of the expected answer is the argmax. Settings were chosen on `--facts tune`.
// Run: pnpm tsx --conditions=@safeinfer/source packages/editing/bench/pocket-sequence.ts --method memit
//   [--facts test --n 20 --layers 0 --lambda 10] [--method alphaEdit --l2 1 --threshold 1e-3]
//   [--method rome (original keys)|rRome|emmet|ftL] [--rows rows.jsonl: appends every count, for sequence-tables.ts]
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { useBackend } from '@safeinfer/backend';
import { exactMcNemar, wilson } from '@safeinfer/harmeval';
import { loadPocket, loadPocketSplit } from '@safeinfer/pocket';
import { renderChat } from '@safeinfer/transformer';
import {
  collapseGauges,
  collectMoments,
  contextTemplates,
  type EditMethod,
  EditSession,
  nullSpace,
  scoreCounterFact,
  scoreTargets,
} from '../src/index.ts';
import { caseOf, factsOf, fill, statisticsTexts } from './pocket-cases.ts';
import type { Count, SequenceRow } from './sequence-row.ts';

const { values: flags } = parseArgs({
  options: {
    facts: { type: 'string', default: 'test' },
    n: { type: 'string', default: '20' },
    method: { type: 'string', default: 'memit' },
    layers: { type: 'string', default: '0' },
    /** subjectLast, or last: the prompt's last token, whose key is of this relation of the subject alone. */
    token: { type: 'string', default: 'subjectLast' },
    lr: { type: 'string', default: '1' },
    steps: { type: 'string', default: '120' },
    clamp: { type: 'string', default: '4' },
    kl: { type: 'string', default: '0.0625' },
    decay: { type: 'string', default: '0.001' },
    lambda: { type: 'string', default: '10' },
    l2: { type: 'string', default: '1' },
    threshold: { type: 'string', default: '1e-3' },
    spread: { type: 'string', default: 'layersLeft' },
    at: { type: 'string', default: '1,2,5,10,20' },
    threads: { type: 'string', default: '2' },
    howto: { type: 'string', default: '240' },
    rows: { type: 'string' },
  },
});
const backend = await useBackend({ name: 'ort', threads: Number(flags.threads) });
using pocket = await loadPocket();
const { model, tokenizer } = pocket;
const layers = flags.layers.split(',').map(Number);
const templates = [
  '{}',
  ...(await contextTemplates({ model, seed: 1, style: 'memit', lengths: [[6, 5]] })).slice(1),
];
const moments = await collectMoments({ model, layers, texts: statisticsTexts(tokenizer) });
const value = {
  contextTemplates: templates,
  factToken: flags.token === 'last' ? ('last' as const) : ('subjectLast' as const),
  learningRate: Number(flags.lr),
  steps: Number(flags.steps),
  clampFactor: Number(flags.clamp),
  klFactor: Number(flags.kl),
  weightDecay: Number(flags.decay),
};
const only = { layer: layers[0]!, moment: moments.get(layers[0]!)! };
const methods: Readonly<Record<string, () => EditMethod>> = {
  rome: () => ({ kind: 'rome', ...value, ...only, keys: 'original' }),
  rRome: () => ({ kind: 'rome', ...value, ...only, keys: 'averaged' }),
  emmet: () => ({ kind: 'emmet', ...value, layer: only.layer, moments }),
  // The bundled model's setting of the command line: 25 steps of 5e-3.
  ftL: () => ({
    kind: 'fineTune',
    layer: only.layer,
    objective: 'promptLast',
    learningRate: 5e-3,
    steps: 25,
  }),
  alphaEdit: () => ({
    kind: 'alphaEdit',
    ...value,
    layers,
    l2: Number(flags.l2),
    nullSpaces: new Map(
      [...moments].map(([layer, moment]) => [layer, nullSpace(moment, Number(flags.threshold))]),
    ),
  }),
  memit: () => ({
    kind: 'memit',
    ...value,
    layers,
    lambda: Number(flags.lambda),
    moments,
    spread: flags.spread === 'squareRoot' ? 'squareRoot' : 'layersLeft',
  }),
};
const choose = methods[flags.method];
if (choose === undefined) throw new Error(`--method is one of ${Object.keys(methods).join(', ')}`);
const method = choose();
const facts = factsOf(flags.facts === 'test' ? 'test' : 'tune', Number(flags.n));
const edited = new Set(facts.map(({ id }) => id));
const subjects = new Set(facts.map(({ subject }) => subject));

/** Questions with the answer that greedy decoding should give. */
function questionItem(row: { readonly question: string; readonly answer: string }): {
  readonly prompt: number[];
  readonly target: number[];
} {
  const messages = [{ role: 'user', content: row.question }];
  return {
    prompt: tokenizer.encode(renderChat({ tokenizer, messages, addGenerationPrompt: true })),
    target: tokenizer.encode(` ${row.answer}`, { addSpecialTokens: false }),
  };
}
const howTo = loadPocketSplit('how-to', 'test').slice(0, Number(flags.howto)).map(questionItem);
const otherFacts = loadPocketSplit('fact-questions', 'test').filter(
  ({ factId }) => !edited.has(factId),
);
const sameSubject = otherFacts.map(({ subject }) => subjects.has(subject));
const harmless = [...howTo, ...otherFacts.map(questionItem)];

/** Perplexity is of statements about facts that are neither edited nor tested. */
const driftTexts = factsOf('tune', Number.POSITIVE_INFINITY)
  .filter(({ id }) => !edited.has(id))
  .slice(-60)
  .map((fact) => `${fill(fact.prompt, fact.subject)} ${fact.target_true}.`);

async function right(): Promise<boolean[]> {
  return (await scoreTargets(model, harmless)).map(({ hits }) => hits.every(Boolean));
}

const rate = (values: readonly boolean[]): string => {
  const won = values.filter(Boolean).length;
  const { low, high } = wilson(won, values.length);
  return `${won}/${values.length} = ${((100 * won) / values.length).toFixed(1)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
};
const count = (values: readonly boolean[]): Count => [values.filter(Boolean).length, values.length];
const setting = [
  ...(flags.method === 'memit' ? [`lambda ${flags.lambda}`] : []),
  ...(flags.method === 'alphaEdit' ? [`threshold ${flags.threshold}`, `l2 ${flags.l2}`] : []),
].join(', ');
console.log(
  `${flags.method} on pocket, ${facts.length} ${flags.facts} facts one after the other, layers ${flags.layers}, ${flags.token}, ` +
    `lr ${flags.lr}, ${flags.steps} steps, clamp ${flags.clamp}, kl ${flags.kl}, ` +
    `${setting === '' ? '' : `${setting}, `}backend ${backend.name}`,
);
using session = new EditSession(model);
const before = await right();
const stops = new Set(flags.at.split(',').map(Number));
let taken = 0;
for (const [i, fact] of facts.entries()) {
  const { prompt, subject, target_new: targetNew, id } = fact;
  await session.edit({ prompt, subject, targetNew }, method, { id });
  const [own] = await scoreCounterFact(model, [
    { ...caseOf(fact), paraphrase: [], neighborhood: [] },
  ]);
  if (own!.rewrite.every(({ accuracy }) => accuracy)) taken += 1;
  if (!stops.has(i + 1) && i + 1 !== facts.length) continue;
  const cases = await scoreCounterFact(model, facts.slice(0, i + 1).map(caseOf));
  const hits = (name: 'rewrite' | 'paraphrase' | 'neighborhood'): boolean[] =>
    cases.flatMap((one) => one[name].map(({ accuracy }) => accuracy));
  const after = await right();
  const test = exactMcNemar({
    both: before.filter((b, q) => b && after[q]).length,
    onlyFirst: before.filter((b, q) => b && !after[q]).length,
    onlySecond: before.filter((b, q) => !b && after[q]).length,
    neither: before.filter((b, q) => !b && !after[q]).length,
  });
  const percent = (values: readonly boolean[]): number =>
    (100 * values.filter(Boolean).length) / values.length;
  const gauges = await collapseGauges({ model, session, texts: driftTexts });
  const relative = Math.max(...gauges.weights.map((weight) => weight.relative));
  const others = after.slice(howTo.length);
  const ofSubjects = others.filter((_, q) => sameSubject[q]);
  if (flags.rows !== undefined) {
    const row: SequenceRow = {
      method: flags.method,
      ...{ facts: flags.facts, layers, token: flags.token, setting, after: i + 1, taken },
      efficacy: count(hits('rewrite')),
      paraphrase: count(hits('paraphrase')),
      neighbourhood: count(hits('neighborhood')),
      harmless: count(after),
      harmlessBefore: count(before),
      mcnemarP: test.p,
      sameSubject: count(ofSubjects),
      perplexityRatio: gauges.perplexityRatio,
      relativeChange: relative,
    };
    appendFileSync(flags.rows, `${JSON.stringify(row)}\n`);
  }
  console.log(
    `after ${i + 1}: taken at once ${taken}; efficacy ${rate(hits('rewrite'))}; paraphrase ${rate(hits('paraphrase'))}; neighbourhood ${rate(hits('neighborhood'))}`,
  );
  console.log(
    `  collapse: perplexity times ${gauges.perplexityRatio.toFixed(3)}, largest |W - W0| / |W0| ${relative.toFixed(4)}`,
  );
  console.log(
    `  harmless ${rate(after)}, before ${rate(before)}, change ${(percent(after) - percent(before)).toFixed(2)} points (McNemar p ${test.p.toPrecision(2)}); ` +
      `how-to ${rate(after.slice(0, howTo.length))}; facts of other subjects ${rate(others.filter((_, q) => !sameSubject[q]))}; ` +
      `other facts of edited subjects ${rate(ofSubjects)}`,
  );
}
