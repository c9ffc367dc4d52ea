// Why attacks hold under SafeInfer, measured on select, and a wider sweep there: layers, strengths, heads, lambda.
import { compile, type Plan, plain, safeInfer, term } from '@safeinfer/guided-sampler';
import { pocketDemonstrations } from '@safeinfer/pocket';
import {
  amplify,
  type HeadRef,
  headOutput,
  headVector,
  safetyAmplification,
} from '@safeinfer/steering';
import type { During, Intervention, Tokenizer, Transformer } from '@safeinfer/transformer';
import { firstTokenLeans, type Lean } from './attack-margins.ts';
import { type Candidate, chooseSettings, rates } from './choose-settings.ts';
import { type EvalSet, selectSets, testSets } from './eval-sets.ts';
import { interval, table } from './eval-table.ts';
import { complied, correct, measureArm, refused, type SetResult, share } from './measure-arm.ts';

interface Setting {
  readonly steering: string;
  readonly lambda: number | null;
}

/** Of each select set: enough to rank settings within the time; of harmless ones enough to see two points of accuracy. */
const ITEMS = 20;
const HARMLESS_ITEMS = 80;
const SEED = 7;
/** What EVALUATION.md's SafeInfer uses. */
const CHOSEN = { layer: 3, strength: 0.25, lambda: 0.8 } as const;

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const percent = (x: number): string => x.toFixed(1);
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

export async function attacksPart(model: Transformer<Tokenizer>, seconds: number): Promise<string> {
  const began = performance.now();
  const steerings = await buildSteerings(model);
  const planOf = ({ steering, lambda }: Setting): Plan => {
    const safe = steerings.get(steering) ?? [];
    if (lambda === null) return compile(term('model', { model, interventions: safe }));
    return safeInfer({ model, safe, unsafe: { adapter: 'unsafe' }, lambda });
  };
  const select = selectSets().map((set) => ({
    ...set,
    items: spread(set.items, set.group === 'harmless' ? HARMLESS_ITEMS : ITEMS),
  }));
  const base = await measureArm({ plan: plain({ model }), sets: select });
  const tried: Candidate<Setting>[] = [];
  const run = async (setting: Setting): Promise<void> => {
    if (performance.now() - began > 1000 * seconds) return;
    const { tried: own } = await chooseSettings({
      sets: select,
      plain: base,
      settings: [setting],
      plan: planOf,
      onCandidate: ({ settings, asr, overRefusal, accuracy, withinBudget }) =>
        say(JSON.stringify({ ...settings, asr, overRefusal, accuracy, withinBudget })),
    });
    tried.push(...own);
  };
  for (const steering of steerings.keys()) await run({ steering, lambda: null });
  // The three best steerings within the budget, with guidance.
  for (const { settings } of best(tried).slice(0, 3)) {
    for (const lambda of [0.8, 0.9]) await run({ ...settings, lambda });
  }
  const chosen = (best(tried)[0] ?? tried[0]) as Candidate<Setting>;
  const plainRates = rates(base);
  const minutes = ((performance.now() - began) / 60_000).toFixed(0);
  return [
    '## Why attacks hold',
    await margins(model, steerings, select),
    `### A wider sweep on select

${tried.length} settings in ${minutes} minutes, ${ITEMS} items of each select set (${HARMLESS_ITEMS} of harmless ones). Plain model there: ASR ${percent(plainRates.asr)}, over-refusal ${percent(plainRates.overRefusal)}, accuracy
${percent(plainRates.accuracy)}. \`sum of k\`: the k heads of largest indirect effect, their mean outputs behind refusals summed at a layer; \`contrast\`: the
same minus their mean outputs behind compliance; \`replace k\`: the outputs of the k heads are set to their means behind refusals, so that
what the attack put there is gone, at the prompt's last token or at every new one too.`,
    table([
      ['steering', 'lambda', 'ASR', 'over-refusal', 'accuracy', 'within budget'],
      ...tried
        .toSorted((a, b) => a.asr - b.asr)
        .map(({ settings, asr, overRefusal, accuracy, withinBudget }) => [
          settings.steering,
          String(settings.lambda ?? '-'),
          percent(asr),
          percent(overRefusal),
          percent(accuracy),
          withinBudget ? 'yes' : 'no',
        ]),
    ]),
    '### On the test split: the setting that this sweep chose (plain and SafeInfer are in the tables above)',
    await onTest([
      {
        name: `chosen here (${chosen.settings.steering}, lambda ${chosen.settings.lambda ?? '-'})`,
        plan: planOf(chosen.settings),
      },
    ]),
  ].join('\n\n');
}

const best = <T>(tried: readonly Candidate<T>[]): Candidate<T>[] =>
  tried.filter(({ withinBudget }) => withinBudget).toSorted((a, b) => a.asr - b.asr);

const nameOf = (kind: string, { layer, strength }: { layer: number; strength: number }): string =>
  `${kind}, layer ${layer}, strength ${strength}`;

async function buildSteerings(model: Transformer): Promise<Map<string, readonly Intervention[]>> {
  const once = (behaviour: 'refuse' | 'comply') => [
    ...new Map(pocketDemonstrations(behaviour).map((shot) => [shot.question, shot])).values(),
  ];
  const shared = { model, shots: 5, prompts: 100, effectPrompts: 25, topHeads: 10, seed: SEED };
  const refusal = await safetyAmplification({
    ...shared,
    safe: once('refuse'),
    compliant: once('comply'),
  });
  const compliance = await safetyAmplification({
    ...shared,
    safe: once('comply'),
    heads: refusal.heads,
  });
  const ranked = (refusal.effects?.ranked ?? refusal.heads) as readonly HeadRef[];
  const { means } = refusal;
  const sums = new Map<string, Float32Array>();
  for (const k of [10, 20]) {
    const vector = await headVector({ model, means, heads: ranked.slice(0, k) });
    sums.set(`sum of ${k}`, vector);
  }
  const against = await headVector({ model, means: compliance.means, heads: refusal.heads });
  sums.set(
    'contrast',
    refusal.vector.map((x, i) => x - (against[i] as number)),
  );
  const steerings = new Map<string, readonly Intervention[]>();
  const add = (kind: string, layer: number, strength: number): void => {
    const vector = sums.get(kind) as Float32Array;
    steerings.set(nameOf(kind, { layer, strength }), [amplify({ vector, layer, strength })]);
  };
  add('sum of 10', CHOSEN.layer, CHOSEN.strength);
  for (const during of ['prompt', 'both'] as const) {
    for (const k of [3, 2, 4, 5, 1]) {
      const name = during === 'prompt' ? `replace ${k} at the prompt` : `replace ${k}`;
      steerings.set(name, replace(means, ranked.slice(0, k), during));
    }
  }
  for (const layer of [4, 5, 6]) {
    for (const strength of [0.15, 0.25, 0.35, 0.5]) add('contrast', layer, strength);
  }
  for (const layer of [2, 4, 5]) add('sum of 10', layer, 0.5);
  add('sum of 20', 4, 0.5);
  return steerings;
}

function replace(
  means: Awaited<ReturnType<typeof safetyAmplification>>['means'],
  heads: readonly HeadRef[],
  during: During,
): Intervention[] {
  return heads.map(({ layer, head }) => ({
    at: `blocks.${layer}.attn.hook_z`,
    op: 'set',
    heads: [head],
    vector: Float32Array.from(headOutput(means, layer, head)),
    positions: 'last',
    during,
  }));
}

/** The first token in nats: what the plain model leans to, what SA moves, what the twin leaves to guidance. */
async function margins(
  model: Transformer<Tokenizer>,
  steerings: ReadonlyMap<string, readonly Intervention[]>,
  select: readonly EvalSet[],
): Promise<string> {
  const steering = nameOf('sum of 10', CHOSEN);
  const slope = CHOSEN.lambda / (1 - CHOSEN.lambda);
  const rows: string[][] = [];
  for (const { name, group, items } of select) {
    if (group !== 'harmful' && group !== 'attack') continue;
    const alone = await firstTokenLeans({ model, items });
    const twin = await firstTokenLeans({ model, items, adapter: 'unsafe' });
    const interventions = steerings.get(steering) ?? [];
    const steered = await firstTokenLeans({ model, items, interventions });
    const lean = (leans: readonly Lean[]): number => median(leans.map((l) => l.comply - l.refuse));
    const gap = median(twin.map((own, i) => Math.max(0, own.comply - (steered[i] as Lean).comply)));
    rows.push([
      name,
      lean(alone).toFixed(2),
      lean(steered).toFixed(2),
      lean(twin).toFixed(2),
      gap.toFixed(4),
      (slope * gap).toFixed(3),
    ]);
  }
  return `Median over the select items of log P(complying opening) - log P(refusing opening) at the first token, in nats. Guidance takes
lambda / (1 - lambda) = ${slope.toFixed(0)} times the lead of the unsafe twin from a token, and has nothing to take where the model complies by itself as surely as its
twin does: the last column is what is subtracted from complying tokens, to be compared with the column of the steered model.

${table([
  [
    'select items',
    'plain',
    `SA (${steering})`,
    'unsafe twin',
    "twin's lead over SA",
    'taken by guidance',
  ],
  ...rows,
])}`;
}

async function onTest(arms: readonly { readonly name: string; readonly plan: Plan }[]) {
  const sets = testSets();
  const rows: string[][] = [];
  for (const { name, plan } of arms) {
    say(`test ${name}`);
    const results: SetResult[] = await measureArm({ plan, sets });
    rows.push([
      name,
      interval(share(results, 'harmful', complied)),
      ...results
        .filter(({ group }) => group === 'attack')
        .map((result) => interval(share([result], 'attack', complied))),
      interval(share(results, 'borderline', refused)),
      interval(share(results, 'harmless', correct)),
    ]);
  }
  const attacks = sets.filter(({ group }) => group === 'attack');
  return table([
    [
      'arm',
      'ASR requests',
      ...attacks.map(({ name }) => `ASR ${name}`),
      'over-refusal',
      'accuracy',
    ],
    ...rows,
  ]);
}

function spread<T>(items: readonly T[], most: number): T[] {
  return most >= items.length
    ? [...items]
    : Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)] as T);
}
