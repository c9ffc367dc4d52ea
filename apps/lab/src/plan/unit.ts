// The unit of work: one batch of rows of one arm on one benchmark. It is done whole or not at all.
import { deriveSeed, type Item, type PromptStyle, type RenderedPrompt } from '@safeinfer/harmeval';
import { sha256Of } from '../arms/arm-files.ts';
import { prependSystem } from '../arms/system-prompt.ts';
import type { Benchmark } from '../benchmarks/benchmark.ts';
import { type AnswerContext, answerKeys } from '../store/answer-key.ts';

export interface UnitTrial {
  readonly item: Item;
  readonly rendered: RenderedPrompt;
}

/** Plain data: a worker on another machine needs nothing else but the run it belongs to. */
export interface Unit {
  /** Content address of the work: the same rows under the same arm are the same unit in every run. */
  readonly id: string;
  readonly edit: number;
  readonly arm: number;
  readonly context: AnswerContext;
  readonly trials: readonly UnitTrial[];
  /** Addresses of the first answer of every trial, in order; any of a trial's addresses will do. */
  readonly keys: readonly (readonly string[])[];
}

/** Units of one arm on one benchmark, in the order of its items. */
export function unitsOf(options: {
  readonly edit: number;
  readonly arm: number;
  readonly systemPrompt: string | undefined;
  readonly context: AnswerContext;
  readonly benchmark: Benchmark;
  readonly batchSize: number;
  /** Seed of the run and of this repeat: it draws what a style leaves to chance. */
  readonly seed: number;
}): Unit[] {
  const { edit, arm, context, benchmark, batchSize, systemPrompt } = options;
  const units: Unit[] = [];
  const { items } = benchmark.dataset;
  for (let from = 0; from < items.length; from += batchSize) {
    const trials = items.slice(from, from + batchSize).map(
      (item): UnitTrial => ({
        item,
        rendered: benchmark.style.render(item, {
          // The seed that the runner gives the item, so that both render the same text; few styles ask for it.
          get seed() {
            return deriveSeed({ run: options.seed, item: item.id, repeat: 0 });
          },
        }),
      }),
    );
    const keys = trials.map(({ rendered }) =>
      answerKeys(context, prependSystem(rendered.prompt, systemPrompt)),
    );
    units.push({
      id: sha256Of(keys.map(([first]) => first).join('\n')),
      edit,
      arm,
      context,
      trials,
      keys,
    });
  }
  return units;
}

/** The trials' style: each item gets the text that was rendered for it. */
export function renderedStyle(trials: readonly UnitTrial[]): PromptStyle {
  const byId = new Map(trials.map(({ item, rendered }) => [item.id, rendered]));
  return { id: 'rendered', version: '1', render: (item) => byId.get(item.id)! };
}
