// Single ROME edits of pocket's facts, each on the unedited model: efficacy, paraphrase and neighbourhood with Wilson
// intervals, and seconds per edit. Run: pnpm tsx --conditions=@safeinfer/source packages/editing/bench/pocket-edits.ts
//   --n 20 --layer 1 --token subjectLast|last [--moment] [--lr 0.5 --steps 25 --decay 0.001 --clamp 4]
import { parseArgs } from 'node:util';
import { useBackend } from '@safeinfer/backend';
import { wilson } from '@safeinfer/harmeval';
import { loadPocket, loadPocketSplit, type PocketFact, pocketFacts } from '@safeinfer/pocket';
import {
  type CounterFactCase,
  collectMoments,
  contextTemplates,
  EditSession,
  identityMoment,
  rome,
  scoreCounterFact,
  summariseCounterFact,
} from '../src/index.ts';

const { values: flags } = parseArgs({
  options: {
    n: { type: 'string', default: '20' },
    layer: { type: 'string', default: '1' },
    token: { type: 'string', default: 'subjectLast' },
    lr: { type: 'string', default: '0.5' },
    steps: { type: 'string', default: '25' },
    decay: { type: 'string', default: '0.001' },
    clamp: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
    contexts: { type: 'string', default: '5' },
    moment: { type: 'boolean', default: false },
    threads: { type: 'string', default: '2' },
  },
});
const layer = Number(flags.layer);
const factToken = flags.token === 'last' ? 'last' : 'subjectLast';
const report = await useBackend({ name: 'ort', threads: Number(flags.threads) });
using pocket = await loadPocket();
const { model } = pocket;

/** Every k-th fact, so that all relations occur. */
function spread(facts: readonly PocketFact[], n: number): PocketFact[] {
  return Array.from({ length: n }, (_, i) => facts[Math.floor((i * facts.length) / n)]!);
}

function caseOf(fact: PocketFact): CounterFactCase {
  const fill = (prompt: string, subject: string): string => prompt.replace('{}', () => subject);
  return {
    id: fact.id,
    targetNew: fact.target_new,
    targetTrue: fact.target_true,
    rewrite: [fill(fact.prompt, fact.subject)],
    paraphrase: fact.paraphrases.map((text) => fill(text, fact.subject)),
    // A neighbour that has the new object anyway cannot show damage.
    neighborhood: fact.neighbourhood
      .filter(({ target }) => target !== fact.target_new)
      .map(({ subject, target }) => ({ prompt: fill(fact.prompt, subject), targetTrue: target })),
  };
}

const templates = [
  '{}',
  ...(
    await contextTemplates({
      model,
      seed: Number(flags.seed),
      style: 'memit',
      lengths: [[6, Number(flags.contexts)]],
    })
  ).slice(1),
];
let moment: Parameters<typeof rome>[0]['moment'] = identityMoment;
if (flags.moment) {
  const texts = [
    ...pocketFacts().flatMap((f) => [
      `${f.prompt.replace('{}', f.subject)} ${f.target_true}`,
      ...f.sameSubject.map(({ prompt, target }) => `${prompt} ${target}`),
    ]),
    ...loadPocketSplit('demonstrations').map(({ question, answer }) => `${question} ${answer}`),
  ];
  moment = (await collectMoments({ model, layers: [layer], texts })).get(layer)!;
}
const facts = spread(pocketFacts(), Number(flags.n));
const cases = facts.map(caseOf);
const before = await scoreCounterFact(model, cases);
const after: Awaited<ReturnType<typeof scoreCounterFact>> = [];
const seconds: number[] = [];
const losses: (readonly number[])[] = [];
let cpu = 0;
for (const [i, fact] of facts.entries()) {
  const { prompt, subject, target_new: targetNew } = fact;
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  const edit = await rome({
    model,
    request: { prompt, subject, targetNew },
    layer,
    factToken,
    keys: 'averaged',
    moment,
    contextTemplates: templates,
    learningRate: Number(flags.lr),
    steps: Number(flags.steps),
    weightDecay: Number(flags.decay),
    clampFactor: Number(flags.clamp),
  });
  seconds.push((performance.now() - started) / 1000);
  const { user, system } = process.cpuUsage(cpuBefore);
  cpu += (user + system) / 1e6;
  losses.push(edit.losses);
  using session = new EditSession(model);
  await session.apply([edit.delta]);
  after.push(...(await scoreCounterFact(model, [cases[i]!])));
}

const rate = (done: number, of: number): string => {
  const { low, high } = wilson(done, of);
  return `${done}/${of} = ${((100 * done) / of).toFixed(1)} % [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
};
console.log(
  `ROME on pocket, n = ${facts.length} facts, layer ${layer}, token ${factToken}, ${flags.moment ? 'measured C' : 'C = I'}, ` +
    `lr ${flags.lr}, ${flags.steps} steps, decay ${flags.decay}, clamp ${flags.clamp}, ${templates.length} templates, backend ${report.name}`,
);
for (const part of ['rewrite', 'paraphrase', 'neighborhood'] as const) {
  for (const [when, scores] of [
    ['before', before],
    ['after', after],
  ] as const) {
    const rows = scores.flatMap((s) => s[part]);
    const likelier = rate(rows.filter((r) => r.success).length, rows.length);
    const argmax = rate(rows.filter((r) => r.accuracy).length, rows.length);
    console.log(`${part.padEnd(13)} ${when.padEnd(7)} likelier ${likelier}   argmax ${argmax}`);
  }
}
const kept = cases.flatMap((_, i) =>
  before[i]!.neighborhood.flatMap((row, p) =>
    row.accuracy ? [after[i]!.neighborhood[p]!.accuracy] : [],
  ),
);
console.log(
  `neighbours right before and still right: ${rate(kept.filter(Boolean).length, kept.length)}`,
);
const meanLoss = (at: number): string =>
  (losses.reduce((sum, list) => sum + list.at(at)!, 0) / losses.length).toFixed(3);
console.log(`value optimisation: mean loss ${meanLoss(0)} at first, ${meanLoss(-1)} at last`);
const { score } = summariseCounterFact(after);
const sorted = [...seconds].sort((a, b) => a - b);
console.log(
  `score S ${score.toFixed(3)}; seconds per edit: median ${sorted[Math.floor(sorted.length / 2)]!.toFixed(1)}, worst ${sorted.at(-1)!.toFixed(1)}; CPU seconds per edit: mean ${(cpu / facts.length).toFixed(1)}`,
);
