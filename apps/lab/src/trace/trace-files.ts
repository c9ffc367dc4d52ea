// Files of a trace: JSON as the viewer reads it, and the four plots that people expect.
import {
  type AverageEffects,
  averageEffectsPlot,
  effectLinesPlot,
  severedPlot,
  tracePlot,
} from '@safeinfer/editing';
import type { RunDirectory } from '../run/run-directory.ts';
import type { AveragedKind, PromptTraces } from './run-trace.ts';

export interface TraceModel {
  readonly name: string;
  readonly sha256: string;
}

/** A name for files: what is special in paths becomes a dash. */
export function fileName(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9._-]+/g, '-');
}

export function traceJson(one: PromptTraces, model: TraceModel): unknown {
  const { prompt, state, mlp, attn, mlpSevered, attnSevered } = one;
  return {
    schema: 1,
    what: 'causal-trace',
    model,
    id: prompt.id,
    prompt: prompt.prompt,
    tokens: state.tokens.map(({ text }) => text),
    subject: state.span,
    answer: state.answer.text,
    ...(state.correctPrediction === undefined ? {} : { correct: state.correctPrediction }),
    clean: state.highScore,
    corrupted: state.lowScore,
    noise: { sigma: state.sigma, samples: state.samples, seed: state.seed },
    maps: { state: state.scores, mlp: mlp.scores, attention: attn.scores },
    ...(mlpSevered && attnSevered
      ? { severed: { mlp: mlpSevered.scores, attention: attnSevered.scores } }
      : {}),
    window: mlp.window,
  };
}

/** Writes the prompt's JSON and its three heat maps; returns the JSON's path. */
export function writeTrace(directory: RunDirectory, one: PromptTraces, model: TraceModel): string {
  const name = fileName(one.prompt.id);
  for (const kind of ['state', 'mlp', 'attn'] as const)
    directory.write(`traces/${name}-${kind}.svg`, tracePlot(one[kind]));
  return directory.write(
    `traces/${name}.json`,
    `${JSON.stringify(traceJson(one, model), null, 2)}\n`,
  );
}

/** Writes average effects with their intervals, and their plots; returns the pictures' paths. */
export function writeAverages(options: {
  readonly directory: RunDirectory;
  readonly effects: ReadonlyMap<AveragedKind, AverageEffects>;
  readonly window: number;
  readonly model: TraceModel;
  readonly suggestedLayer: number;
}): string[] {
  const { directory, effects, window, model, suggestedLayer } = options;
  const state = effects.get('state')!;
  // One colour scale for the three kinds, the state's, as published.
  const range = [0, Math.max(1e-9, ...state.effects.flat().filter(Number.isFinite))] as const;
  const files = (['state', 'mlp', 'attn'] as const).flatMap((kind) => {
    const one = effects.get(kind)!;
    return [
      directory.write(
        `average-${kind}.svg`,
        averageEffectsPlot(one, { kind, window: kind === 'state' ? 1 : window, range }),
      ),
      directory.write(`lines-${kind}.svg`, effectLinesPlot(one, kind)),
    ];
  });
  const severed = { state, attn: effects.get('attnSevered'), mlp: effects.get('mlpSevered') };
  if (severed.attn && severed.mlp) files.push(directory.write('severed.svg', severedPlot(severed)));
  directory.write(
    'average-effects.json',
    `${JSON.stringify({ schema: 1, what: 'average-effects', model, window, suggestedLayer, effects: Object.fromEntries(effects) }, null, 2)}\n`,
  );
  return files;
}
