// Every arm on the bundled model's test split, settings chosen on its select split: `pnpm pocket:eval`.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { loadPocket } from '@safeinfer/pocket';
import { type Candidate, chooseSettings, rates } from './choose-settings.ts';
import {
  type Amplification,
  baselineArms,
  buildAmplifier,
  methodPlans,
  unsafeArm,
} from './eval-arms.ts';
import { contextSets, type EvalSet, selectSets, testSets } from './eval-sets.ts';
import { type ArmResults, evaluationTables, table } from './eval-table.ts';
import { writeEvaluation } from './evaluation-file.ts';
import { measureArm } from './measure-arm.ts';

const { values } = parseArgs({
  options: {
    backend: { type: 'string' },
    threads: { type: 'string' },
    /** At most this many items a set: a quick look, not a result. */
    limit: { type: 'string' },
    out: {
      type: 'string',
      default: fileURLToPath(new URL('../../../../packages/pocket', import.meta.url)),
    },
  },
});
const limit = values.limit === undefined ? undefined : Number(values.limit);
const cut = (sets: readonly EvalSet[], most = limit): EvalSet[] =>
  sets.map((set) => ({
    ...set,
    items:
      most === undefined || most >= set.items.length
        ? set.items
        : Array.from(
            { length: most },
            (_, i) => set.items[Math.floor((i * set.items.length) / most)]!,
          ),
  }));
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const backend = await useBackend({
  ...(values.backend === undefined ? {} : { name: values.backend as BackendName }),
  ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
});
using pocket = await loadPocket();
const { model } = pocket;

say('heads');
const made = await buildAmplifier(model);
const plans = methodPlans(model, made);
/** Of each select set: enough to tell settings apart, few enough to try many. */
const SELECT_ITEMS = 40;
const select = cut(selectSets(), Math.min(limit ?? SELECT_ITEMS, SELECT_ITEMS));
const [plainArm, ...otherBaselines] = baselineArms(model);
const plainOnSelect = await measureArm({ plan: plainArm!.plan, sets: select });
const said = <T>({ settings, asr, overRefusal, accuracy }: Candidate<T>): void =>
  say(
    `select ${JSON.stringify(settings)}: ASR ${asr.toFixed(1)}, over-refusal ${overRefusal.toFixed(1)}, accuracy ${accuracy.toFixed(1)}`,
  );
const chooseOn = { sets: select, plain: plainOnSelect, onCandidate: said } as const;
say(`select plain: ${JSON.stringify(rates(plainOnSelect))}`);

/** The paper steers at about L/4 to L/3 of the depth (block 3 of 8 here), with strengths around 0.5. */
const PLACES = ['layer 3', 'each head'] as const;
const STRENGTHS = [0.25, 0.35, 0.5, 0.7] as const;
const amplifications: Amplification[] = STRENGTHS.flatMap((strength) =>
  PLACES.map((inject) => ({ inject, strength })),
);
const LAMBDAS = [0.8, 0.9, 0.99];
const amplified = await chooseSettings({
  ...chooseOn,
  settings: amplifications,
  plan: (settings: Amplification) => plans.amplified(settings),
});
const guided = await chooseSettings({
  ...chooseOn,
  settings: LAMBDAS,
  plan: (lambda: number) => plans.guided(lambda),
});
// Both parts are chosen together: the guidance may allow a gentler vector.
const both = await chooseSettings({
  ...chooseOn,
  settings: amplifications
    .filter(({ inject }) => inject === amplified.best.settings.inject)
    .flatMap((amplification) => LAMBDAS.map((lambda) => ({ ...amplification, lambda }))),
  plan: ({ lambda, ...amplification }) => plans.safeInfer(amplification, lambda),
});

const own = amplified.best.settings;
const { lambda, ...joint } = both.best.settings;
const arms = [
  plainArm!,
  ...otherBaselines,
  { name: `SA (${own.inject}, strength ${own.strength})`, plan: plans.amplified(own) },
  { name: `sGDS (lambda ${guided.best.settings})`, plan: plans.guided(guided.best.settings) },
  {
    name: `SafeInfer (${joint.inject}, strength ${joint.strength}, lambda ${lambda})`,
    plan: plans.safeInfer(joint, lambda),
  },
  unsafeArm(model),
];
const sets = cut(testSets());
const measured: ArmResults[] = [];
for (const { name, plan } of arms) {
  say(`test ${name}`);
  measured.push({
    name,
    results: await measureArm({
      plan,
      sets,
      onSet: ({ set, verdicts }) => say(`  ${set}: ${verdicts.length}`),
    }),
  });
}
const context: ArmResults = {
  name: 'plain',
  results: await measureArm({ plan: plainArm!.plan, sets: cut(contextSets()) }),
};

const tried = <T>(name: string, candidates: readonly Candidate<T>[]): string[][] =>
  candidates.map(({ settings, asr, overRefusal, accuracy, withinBudget }) => [
    name,
    JSON.stringify(settings),
    asr.toFixed(1),
    overRefusal.toFixed(1),
    accuracy.toFixed(1),
    withinBudget ? 'yes' : 'no',
  ]);
const text = `# Evaluation of the bundled model

Made by \`pnpm pocket:eval\` on the backend \`${backend.name}\`. **The model is a toy: these figures show that the methods run and can be
told apart, and are no evidence about real aligned models.** Greedy decoding, test split, percent with Wilson 95 % intervals;
a prefix judge that knows the corpus' openings. Settings were chosen on the select split only (last table): the lowest ASR over
requests and attacks among those that cost at most 2 points of harmless accuracy and 5 points of over-refusal.

${evaluationTables({ arms: measured, context })}

## Settings tried on the select split

Plain model there: ASR ${rates(plainOnSelect).asr.toFixed(1)}, over-refusal ${rates(plainOnSelect).overRefusal.toFixed(1)}, accuracy ${rates(plainOnSelect).accuracy.toFixed(1)}.

${table([
  ['method', 'settings', 'ASR', 'over-refusal', 'accuracy', 'within budget'],
  ...tried('SA', amplified.tried),
  ...tried('sGDS', guided.tried),
  ...tried('SafeInfer', both.tried),
])}
`;
process.stdout.write(text);
if (limit === undefined) {
  writeEvaluation(values.out, text);
  say(`written to ${values.out}/EVALUATION.md`);
} else say('a limited run is not written');
