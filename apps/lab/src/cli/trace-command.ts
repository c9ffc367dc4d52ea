// `safeinfer trace`: causal tracing of a fact or of many, as JSON and pictures.
import { relative } from 'node:path';
import { embeddingNoise } from '@safeinfer/editing';
import { type Command, InvalidArgumentError } from 'commander';
import { chooseBackend } from '../model/choose-backend.ts';
import { openModel } from '../model/open-model.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { textTable } from '../report/format-table.ts';
import { openRunDirectory } from '../run/run-directory.ts';
import { averages, type PromptTraces, runTraces, suggestion } from '../trace/run-trace.ts';
import { writeAverages, writeTrace } from '../trace/trace-files.ts';
import { type TracePromptFlags, tracePrompts } from '../trace/trace-prompts.ts';
import { positiveInteger } from './positive-integer.ts';

interface TraceFlags extends TracePromptFlags {
  readonly model: string;
  readonly backend?: string;
  readonly out: string;
  readonly json: boolean;
  readonly samples: number;
  readonly window?: number;
  readonly sigma?: number;
  readonly times: number;
  readonly seed: number;
  readonly severed: boolean;
}

/** Published: 10 of 48 layers of GPT-2 XL. Smaller models get the same share, and at least one layer. */
const PUBLISHED_WINDOW = 10;
const PUBLISHED_LAYERS = 48;

export function registerTraceCommand(program: Command, signal: AbortSignal): void {
  const decimal = (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
    throw new InvalidArgumentError('not a positive number');
  };
  program
    .command('trace')
    .description(
      'causal tracing: where restoring one state brings the answer of a corrupted run back',
    )
    .option('--model <path>', 'model directory, hub name or "pocket"', 'pocket')
    .option('--prompt <text>', 'text that ends right before the answer')
    .option('--subject <text>', 'the subject in it, which is corrupted')
    .option('--expect <text>', 'the right answer')
    .option('--facts <file>', 'many facts: a JSON list as known_1000.json, or "pocket"')
    .option('--count <n>', 'facts of the file, evenly spaced', positiveInteger, 20)
    .option('--samples <n>', 'corrupted copies', positiveInteger, 10)
    .option(
      '--sigma <x>',
      'standard deviation of the noise (default: --times that of the subjects’ embeddings)',
      decimal,
    )
    .option('--times <x>', 'noise as a multiple of the embeddings’ deviation', decimal, 3)
    .option(
      '--window <n>',
      'layers of MLP or attention restored together (default: the published share, 10 of 48)',
      positiveInteger,
    )
    .option('--seed <n>', 'of the noise', positiveInteger, 1)
    .option('--no-severed', 'leave out the runs with severed MLP and attention')
    .option('--out <directory>', 'where pictures and JSON go', 'runs/trace')
    .option('--backend <name>', 'compute backend (default: the best that works here)')
    .option('--json', 'the averages as JSON', false)
    .action((flags: TraceFlags) => traceCommand({ flags, signal }));
}

async function traceCommand(options: {
  readonly flags: TraceFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { flags, signal } = options;
  const prompts = tracePrompts(flags);
  const directory = openRunDirectory(flags.out);
  const { backend, model: name } = flags;
  await chooseBackend({ backend });
  using opened = await openModel({ name, signal });
  const { model } = opened;
  const window =
    flags.window ??
    Math.max(1, Math.round((PUBLISHED_WINDOW * model.config.nLayers) / PUBLISHED_LAYERS));
  const subjects = [...new Set(prompts.map(({ subject }) => subject))];
  const sigma = flags.sigma ?? (await embeddingNoise({ model, subjects, times: flags.times }));
  const progress = createProgressLine();
  const { samples, seed, severed } = flags;
  const { traces, wrong } = await runTraces({
    ...{ model, prompts, sigma, samples, window, seed, severed, signal },
    onProgress: (update) => progress.update(update),
  }).finally(() => progress.end());
  const identity = { name: opened.name, sha256: opened.sha256 };
  for (const one of traces) writeTrace(directory, one, identity);
  const lines = [
    `noise ${sigma.toPrecision(3)}, ${samples} corrupted copies, window ${window}, seed ${seed}`,
    ...wrong.map(
      (id) => `${id}: the model answers something else${prompts.length > 1 ? '; left out' : ''}`,
    ),
    ...traces.slice(0, 5).map(describe),
    ...(traces.length > 5 ? [`… and ${traces.length - 5} more prompts`] : []),
  ];
  if (traces.length === 0) {
    process.stdout.write(`${lines.join('\n')}\nno prompt is answered as expected\n`);
    return;
  }
  const effects = averages(traces);
  const suggestedLayer = suggestion(effects);
  const files = writeAverages({ directory, effects, window, model: identity, suggestedLayer });
  if (flags.json) {
    const json = { window, suggestedLayer, effects: Object.fromEntries(effects) };
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
    return;
  }
  const state = effects.get('state')!;
  const cell = (role: number, layer: number): string => {
    const half = state.halfWidths[role]![layer]!;
    const value = state.effects[role]![layer]!;
    if (Number.isNaN(value)) return '–';
    // Not -0.00.
    const text = (Math.abs(value) < 0.005 ? 0 : value).toFixed(2);
    return Number.isNaN(half) ? text : `${text} ±${half.toFixed(2)}`;
  };
  process.stdout.write(
    `${lines.join('\n')}\n\naverage indirect effect of single states over ${state.traces} prompts (total effect ${state.totalEffect.toFixed(2)}):\n` +
      `${textTable([
        ['token', ...state.effects[0]!.map((_, layer) => `layer ${layer}`)],
        ...state.roles.map((role, r) => [
          role,
          ...state.effects[r]!.map((_, layer) => cell(r, layer)),
        ]),
      ])}\n\n` +
      `layer to edit first, by MLPs at the last subject token (a heuristic): ${suggestedLayer}\n` +
      `pictures: ${files.map((file) => relative('.', file)).join(' ')}\n`,
  );
}

function describe({ prompt, state }: PromptTraces): string {
  const { answer, highScore, lowScore, scores, span, tokens } = state;
  const cells = scores.flatMap((row, token) =>
    row.map((score, layer) => ({ token, layer, score })),
  );
  const inside = cells.filter(({ token }) => token >= span[0] && token < span[1]);
  const best = inside.reduce((a, b) => (b.score > a.score ? b : a));
  return (
    `${prompt.id}: "${prompt.prompt}" ->${answer.text} p ${highScore.toFixed(2)}, corrupted ${lowScore.toFixed(2)}, ` +
    `best restored in the subject ${best.score.toFixed(2)} at${tokens[best.token]!.text}, layer ${best.layer}`
  );
}
