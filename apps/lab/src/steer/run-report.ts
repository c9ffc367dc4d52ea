// `safeinfer steer report`: what a vector does on test prompts beside its controls, as JSON, Markdown and SVG.
import { relative } from 'node:path';
import { loadPocketSplit } from '@safeinfer/pocket';
import {
  doseResponseSvg,
  effectHistogramSvg,
  loadDirections,
  preflight,
  reportMarkdown,
  type SteeringPlan,
  steeringReport,
} from '@safeinfer/steering';
import type { Row } from '@safeinfer/transformer';
import { chooseBackend } from '../model/choose-backend.ts';
import { openModel } from '../model/open-model.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { openRunDirectory } from '../run/run-directory.ts';
import { answerJudge } from './answer-judge.ts';
import { answerTokens, openingToken } from './answer-tokens.ts';
import { type PromptItem, promptRow, promptsFrom } from './prompt-source.ts';
import { planOfFile, readVectorFile } from './vector-file.ts';

export interface ReportFlags {
  readonly model: string;
  readonly backend?: string;
  readonly layer?: number;
  readonly strength?: number;
  readonly harmful: string;
  readonly harmless: string;
  readonly style?: 'simple' | 'instruction';
  readonly limit?: number;
  readonly target: string;
  readonly opposed: string;
  readonly safetyPrompt: string;
  readonly refusal?: string;
  readonly shuffled?: string;
  readonly random: number;
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly force: boolean;
  readonly out: string;
}

/** Returns whether the report's gates passed. */
export async function runReport(
  path: string,
  flags: ReportFlags,
  signal: AbortSignal,
): Promise<boolean> {
  const { style, limit, seed } = flags;
  const common = { use: 'test', limit, ...(style ? { style } : {}) } as const;
  const harmful = promptsFrom({ source: flags.harmful, kind: 'harmful', ...common });
  const harmless = promptsFrom({ source: flags.harmless, kind: 'harmless', ...common });
  const directory = openRunDirectory(flags.out);
  await chooseBackend({ backend: flags.backend });
  using opened = await openModel({ name: flags.model, signal });
  const { model } = opened;
  const { force, layer, strength } = flags;
  const file = await readVectorFile(path, { model, force, layer });
  const plan = planOfFile(file, { layer, strength });
  const items = new WeakMap<Row, PromptItem>();
  const rowOf = (item: PromptItem): Row => {
    const row = promptRow(model, item.question);
    items.set(row, item);
    return row;
  };
  const judge = answerJudge(flags.model);
  const dangerous = new Set(harmful);
  const added = plan.operations.find((operation) => operation.op === 'add');
  const geometry =
    file.kind === 'directions' ? file.set.geometry?.get(added?.layer ?? -1) : undefined;
  const refusal =
    flags.refusal === undefined
      ? undefined
      : (await loadDirections(flags.refusal, { model })).directions.values().next().value;
  const findings = geometry
    ? preflight({ geometry, ...(added && refusal ? { direction: added.vector, refusal } : {}) })
    : [];
  const shuffled =
    flags.shuffled === undefined
      ? undefined
      : asStrongAs(
          planOfFile(await readVectorFile(flags.shuffled, { model, force, layer }), { layer }),
          plan,
        );
  const tried = plan.recipe?.settings?.['settingsTried'];
  const progress = createProgressLine();
  const report = await steeringReport({
    model,
    plan,
    effect: harmful.map((item) => ({
      id: item.id,
      row: rowOf(item),
      target: openingToken(model, { question: item.question, answer: flags.target }),
      opposed: openingToken(model, { question: item.question, answer: flags.opposed }),
    })),
    harmful: harmful.map(rowOf),
    benign: harmless.map(rowOf),
    texts: textsOf(flags.model, harmless).map(({ question, answer }) => {
      const { prompt, response } = answerTokens(model, { question, answer: ` ${answer}` });
      return [...prompt, ...response];
    }),
    ...(harmless.every(({ answer }) => answer !== undefined)
      ? {
          isCorrect: (row: Row, answer: string) =>
            answer !== '' && plain(items.get(row)?.answer ?? '').startsWith(plain(answer)),
        }
      : {}),
    ...(shuffled ? { shuffled } : {}),
    promptBaseline: (row) => promptRow(model, items.get(row)!.question, flags.safetyPrompt),
    judge: async (row, answer) =>
      judge(dangerous.has(items.get(row)!) ? 'harmful' : 'harmless', answer),
    preflight: findings,
    randomControls: flags.random,
    maxNewTokens: flags.maxNewTokens,
    ...(typeof tried === 'number' ? { settingsTried: tried } : {}),
    command: `safeinfer steer report ${[path, ...given(flags)].join(' ')}`,
    seed,
    signal,
    onProgress: (update) => progress.update(update),
  }).finally(() => progress.end());
  const markdown = reportMarkdown(report);
  directory.write('report.json', `${JSON.stringify(report, undefined, 2)}\n`);
  directory.write('report.md', `${markdown}\n![dose](dose.svg) ![items](items.svg)\n`);
  directory.write('dose.svg', `${doseResponseSvg(report)}\n`);
  directory.write('items.svg', `${effectHistogramSvg(report)}\n`);
  process.stdout.write(`${markdown}\nwritten: ${relative('.', directory.path)}\n`);
  return report.verdict === 'shown to work';
}

/** The control acts where the plan does and as strongly, whatever its own file says. */
function asStrongAs(control: SteeringPlan, plan: SteeringPlan): SteeringPlan {
  const [first] = plan.operations;
  return {
    ...control,
    operations: control.operations.map((operation, i) => {
      const { layer, strength = 1 } = plan.operations[i] ?? first!;
      return { ...operation, layer, strength };
    }),
  };
}

/** Fixed text whose likelihood should not change: harmless answers, the bundled model's how-to answers for itself. */
function textsOf(
  model: string,
  harmless: readonly PromptItem[],
): { readonly question: string; readonly answer: string }[] {
  if (model === 'pocket') return loadPocketSplit('how-to', 'test').slice(0, 24);
  return harmless
    .flatMap(({ question, answer }) => (answer ? [{ question, answer }] : []))
    .slice(0, 24);
}

function plain(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').replace(/[.!]$/, '').trim();
}

/** The flags as they would be typed; the output folder decides no number. */
function given(flags: ReportFlags): string[] {
  const dashed = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
  return Object.entries(flags)
    .filter(([name, value]) => name !== 'out' && value !== undefined && value !== false)
    .map(([name, value]) => {
      const text =
        value === true
          ? ''
          : ` ${/^[\w./-]+$/.test(String(value)) ? value : JSON.stringify(value)}`;
      return `--${dashed(name)}${text}`;
    });
}
