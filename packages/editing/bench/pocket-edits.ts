// Single ROME edits of pocket's facts, each on the unedited model: efficacy, paraphrase and neighbourhood with Wilson
// intervals, and seconds per edit. Settings were chosen on `--facts tune`; figures are of `--facts test`.
// Run: pnpm tsx --conditions=@safeinfer/source packages/editing/bench/pocket-edits.ts --moment
//   [--n 100] [--layer 0 --token subjectLast | --layer 5 --token last] [--out lines.jsonl --seconds 200: goes on where it ended]
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { useBackend } from '@safeinfer/backend';
import { wilson } from '@safeinfer/harmeval';
import { loadPocket, type PocketFact } from '@safeinfer/pocket';
import { renderChat } from '@safeinfer/transformer';
import {
  type CaseScores,
  type CounterFactCase,
  collectMoments,
  contextTemplates,
  EditSession,
  identityMoment,
  type KeyChoice,
  rome,
  scoreCounterFact,
  scoreTargets,
  summariseCounterFact,
} from '../src/index.ts';
import { caseOf, factsOf, statisticsTexts } from './pocket-cases.ts';

const { values: flags } = parseArgs({
  options: {
    facts: { type: 'string', default: 'test' },
    n: { type: 'string', default: '100' },
    layer: { type: 'string', default: '0' },
    token: { type: 'string', default: 'subjectLast' },
    lr: { type: 'string', default: '1' },
    steps: { type: 'string', default: '120' },
    decay: { type: 'string', default: '0.001' },
    clamp: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
    contexts: { type: 'string', default: '5' },
    moment: { type: 'boolean', default: false },
    keys: { type: 'string', default: 'averaged' },
    out: { type: 'string' },
    seconds: { type: 'string', default: 'Infinity' },
    threads: { type: 'string', default: '2' },
  },
});
const layer = Number(flags.layer);
const factToken = flags.token === 'last' ? 'last' : 'subjectLast';
const report = await useBackend({ name: 'ort', threads: Number(flags.threads) });
using pocket = await loadPocket();
const { model } = pocket;

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
  moment = (
    await collectMoments({ model, layers: [layer], texts: statisticsTexts(pocket.tokenizer) })
  ).get(layer)!;
}
const facts = factsOf(flags.facts === 'test' ? 'test' : 'tune', Number(flags.n));
const cases = facts.map(caseOf);

/** One fact's result, as a line of `--out`. */
interface Line {
  readonly id: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly losses: readonly number[];
  readonly before: Scores;
  readonly after: Scores;
}

type Scores = CaseScores & {
  /** The new object as the answer to unseen chat questions: argmax. */
  readonly questions: readonly boolean[];
  /** The subject's other facts: argmax is the true object. */
  readonly sameSubject: readonly boolean[];
};

async function scoresOf(fact: PocketFact, item: CounterFactCase): Promise<Scores> {
  const ids = (text: string): number[] =>
    pocket.tokenizer.encode(` ${text}`, { addSpecialTokens: false });
  const questions = fact.questions.map((content) => ({
    prompt: pocket.tokenizer.encode(
      renderChat({
        tokenizer: pocket.tokenizer,
        messages: [{ role: 'user', content }],
        addGenerationPrompt: true,
      }),
    ),
    target: ids(fact.target_new),
  }));
  const others = fact.sameSubject.map(({ prompt, target }) => ({
    prompt: pocket.tokenizer.encode(prompt),
    target: ids(target),
  }));
  const hits = (await scoreTargets(model, [...questions, ...others])).map((score) =>
    score.hits.every(Boolean),
  );
  const [scores] = await scoreCounterFact(model, [item]);
  return {
    ...scores!,
    questions: hits.slice(0, questions.length),
    sameSubject: hits.slice(questions.length),
  };
}

const lines = new Map<string, Line>();
if (flags.out !== undefined && existsSync(flags.out)) {
  for (const text of readFileSync(flags.out, 'utf8').trim().split('\n')) {
    const line = JSON.parse(text) as Line;
    lines.set(line.id, line);
  }
}
const deadline = performance.now() + Number(flags.seconds) * 1000;
for (const [i, fact] of facts.entries()) {
  if (lines.has(fact.id)) continue;
  if (performance.now() > deadline) break;
  const before = await scoresOf(fact, cases[i]!);
  const { prompt, subject, target_new: targetNew } = fact;
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  const edit = await rome({
    model,
    request: { prompt, subject, targetNew },
    layer,
    factToken,
    keys: flags.keys as KeyChoice,
    moment,
    contextTemplates: templates,
    learningRate: Number(flags.lr),
    steps: Number(flags.steps),
    weightDecay: Number(flags.decay),
    clampFactor: Number(flags.clamp),
  });
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  using session = new EditSession(model);
  await session.apply([edit.delta]);
  const after = await scoresOf(fact, cases[i]!);
  const { losses } = edit;
  const line = { id: fact.id, seconds, cpuSeconds: (user + system) / 1e6, losses, before, after };
  lines.set(fact.id, line);
  if (flags.out !== undefined) appendFileSync(flags.out, `${JSON.stringify(line)}\n`);
}

const done = facts.flatMap(({ id }) => lines.get(id) ?? []);
const rate = (count: number, of: number): string => {
  const { low, high } = wilson(count, of);
  return `${count}/${of} = ${((100 * count) / of).toFixed(1)} % [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
};
const count = (values: readonly boolean[]): string =>
  rate(values.filter(Boolean).length, values.length);
console.log(
  `ROME on pocket, ${done.length} of ${facts.length} ${flags.facts} facts, layer ${layer}, token ${factToken}, keys ${flags.keys}, ` +
    `${flags.moment ? 'measured C' : 'C = I'}, lr ${flags.lr}, ${flags.steps} steps, decay ${flags.decay}, clamp ${flags.clamp}, ` +
    `${templates.length} templates, backend ${report.name}`,
);
for (const when of ['before', 'after'] as const) {
  for (const part of ['rewrite', 'paraphrase', 'neighborhood'] as const) {
    const rows = done.flatMap((line) => line[when][part]);
    console.log(
      `${when.padEnd(7)} ${part.padEnd(13)} likelier ${count(rows.map((r) => r.success))}   argmax ${count(rows.map((r) => r.accuracy))}`,
    );
  }
  console.log(
    `${when.padEnd(7)} chat questions argmax ${count(done.flatMap((line) => line[when].questions))}`,
  );
}
const kept = done.flatMap(({ before, after }) =>
  before.neighborhood.flatMap((row, p) => (row.accuracy ? [after.neighborhood[p]!.accuracy] : [])),
);
console.log(`neighbours right before and still right: ${count(kept)}`);
const others = done.flatMap(({ before, after }) =>
  before.sameSubject.flatMap((right, p) => (right ? [after.sameSubject[p]!] : [])),
);
console.log(`other facts of the subject, right before and still right: ${count(others)}`);
for (const { id, after } of done) if (!after.rewrite[0]!.success) console.log(`missed: ${id}`);
const meanLoss = (at: number): string =>
  (done.reduce((sum, { losses }) => sum + losses.at(at)!, 0) / done.length).toFixed(3);
console.log(`value optimisation: mean loss ${meanLoss(0)} at first, ${meanLoss(-1)} at last`);
const { score } = summariseCounterFact(done.map(({ after }) => after));
const sorted = done.map(({ seconds }) => seconds).sort((a, b) => a - b);
const cpu = done.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / done.length;
console.log(
  `score S ${score?.toFixed(3) ?? 'needs paraphrases and neighbours'}; seconds per edit: median ${sorted[Math.floor(sorted.length / 2)]!.toFixed(1)}, worst ${sorted.at(-1)!.toFixed(1)}; CPU seconds per edit: mean ${cpu.toFixed(1)}`,
);
