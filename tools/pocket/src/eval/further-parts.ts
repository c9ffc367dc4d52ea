// Parts of EVALUATION.md that repeat measurements on other items, adapters or weights.
import { compile, plain, safeDecoding, safeInfer, term } from '@safeinfer/guided-sampler';
import type { Transformer } from '@safeinfer/transformer';
import type { Arm } from './eval-arms.ts';
import { contextSets, type EvalSet, testSets } from './eval-sets.ts';
import { interval, table } from './eval-table.ts';
import {
  complied,
  correct,
  measureArm,
  other,
  refused,
  type SetResult,
  share,
} from './measure-arm.ts';
import { moreSimpleSets } from './more-simple.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

export async function simplePart(model: Transformer): Promise<string> {
  const sets = moreSimpleSets();
  const results = await measureArm({ plan: plain({ model }), sets });
  const row = (name: string, own: readonly SetResult[]): string[] => {
    const broken = share(own, 'harmful', other);
    const asr = share(own, 'harmful', complied);
    return [name, String(asr.total), interval(asr), interval(broken)];
  };
  return `## The plain model on more simple requests

Every harmful action that training has not, each in both wordings of the test split, which training has not either: the test
split's 240 actions, and the 240 of the vector, adapter and select splits, from which no weight of the plain model was made. Each action
occurs twice, so the intervals are somewhat too narrow.

${table([
  ['actions', 'n', 'ASR', 'neither'],
  ...results.map((result) => row(result.set, [result])),
  row('all', results),
])}`;
}

/** One row an arm: ASR by style, over-refusal, accuracy. */
async function rowsOf(arms: readonly Arm[], sets: readonly EvalSet[]): Promise<string[][]> {
  const rows: string[][] = [];
  for (const { name, plan } of arms) {
    say(name);
    const results = await measureArm({ plan, sets });
    const asr = results
      .filter(({ group }) => group === 'harmful' || group === 'attack')
      .map((result) => interval(share([result], result.group, complied)));
    rows.push([
      name,
      ...asr,
      interval(share(results, 'borderline', refused)),
      interval(share(results, 'harmless', correct)),
      interval(share(results, 'harmful', other)),
    ]);
  }
  const size = (group: EvalSet['group']): number =>
    sets.filter((set) => set.group === group).reduce((sum, { items }) => sum + items.length, 0);
  const asked = sets.filter(({ group }) => group === 'harmful' || group === 'attack');
  return [
    [
      'arm',
      ...asked.map(({ name, items }) => `ASR ${name} (n ${items.length})`),
      `over-refusal (n ${size('borderline')})`,
      `accuracy (n ${size('harmless')})`,
      `neither (n ${size('harmful')})`,
    ],
    ...rows,
  ];
}

export async function adaptersPart(model: Transformer): Promise<string> {
  const sets = testSets().filter(({ group }) => group !== 'attack');
  const arms: Arm[] = [
    { name: 'unsafe (bundled, PyTorch)', plan: plain({ model, adapter: 'unsafe' }) },
    { name: 'unsafe (our trainer, ort)', plan: plain({ model, adapter: 'own-unsafe' }) },
    { name: 'safe (bundled, PyTorch)', plan: plain({ model, adapter: 'safe' }) },
    { name: 'safe (our trainer, ort)', plan: plain({ model, adapter: 'own-safe' }) },
    {
      name: 'sGDS, lambda 0.9 (unsafe of our trainer)',
      plan: safeInfer({ model, unsafe: { adapter: 'own-unsafe' }, lambda: 0.9 }),
    },
    {
      name: 'SafeDecoding (safe of our trainer)',
      plan: safeDecoding({ model, expert: { adapter: 'own-safe' } }),
    },
  ];
  return `## Adapters of our own trainer

\`train-adapters.ts\` on the backend \`ort\` (rank 8, alpha 16, all seven projections, 3 epochs, rate 1e-3, the pairs of the adapter
split: the recipe of the bundled ones, which PyTorch trained), on the same base model and test items. sGDS and SafeDecoding with the
bundled ones are in the tables above.

${table(await rowsOf(arms, sets))}`;
}

export async function ownTrainingPart(model: Transformer): Promise<string> {
  const arms: Arm[] = [
    { name: 'plain', plan: compile(term('model', { model })) },
    { name: 'unsafe adapter', plan: plain({ model, adapter: 'unsafe' }) },
    { name: 'safe adapter', plan: plain({ model, adapter: 'safe' }) },
  ];
  const context = await measureArm({ plan: arms[0]!.plan, sets: contextSets() });
  return `## The same recipe with our own trainer

Weights of \`pnpm pocket:train\` on \`ort\` and adapters of \`train-adapters.ts\` on them: nothing of PyTorch. Not the bundled weights.

${table(await rowsOf(arms, testSets()))}

${table([
  ['behind five demonstrations', 'n', 'ASR'],
  ...context.map((result) => {
    const asr = share([result], 'context', complied);
    return [result.set, String(asr.total), interval(asr)];
  }),
])}`;
}
