// Second moments of an edit: from a file, collected from texts, or of the bundled model's own statements.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { SafeInferError } from '@safeinfer/backend';
import { collectMoments, type MeasuredMoment } from '@safeinfer/editing';
import { loadPocketSplit, pocketFacts } from '@safeinfer/pocket';
import type { Transformer } from '@safeinfer/transformer';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { EditSettings } from './edit-settings.ts';
import type { MomentFiles } from './moment-files.ts';

export interface EditStatistics {
  /** Undefined: no statistics, which for ROME means C = I. */
  readonly moments: ReadonlyMap<number, MeasuredMoment> | undefined;
  readonly source: string;
}

export interface StatisticsOfEdit {
  readonly settings: EditSettings;
  /** Subjects that are edited: their statements stay out of the bundled model's statistics. */
  readonly subjects: readonly string[];
}
export type StatisticsFor = (edit: StatisticsOfEdit) => Promise<EditStatistics>;

/**
 * Statistics of one model's edits: texts are read through once, however many edits ask.
 * The function throws NOT_FOUND, BAD_FILE, BAD_ARGUMENT, and what collecting throws.
 */
export function statisticsOf(options: {
  readonly model: Transformer;
  readonly modelSha256: string;
  readonly momentFiles: MomentFiles;
  /** Where the sums of texts are kept; a collection that is there is gone on from. */
  readonly checkpoint: (settings: EditSettings) => string;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}): StatisticsFor {
  const { model, signal } = options;
  const known = new Map<string, EditStatistics>();
  const find = async ({ settings, subjects }: StatisticsOfEdit): Promise<EditStatistics> => {
    const { layers, statistics } = settings;
    if (statistics.from === 'none') return { moments: undefined, source: 'no statistics' };
    if (statistics.from === 'identity') return { moments: undefined, source: 'C = I' };
    if (statistics.from === 'file') {
      const { path } = statistics;
      const moments = await options.momentFiles(path, layers);
      checkMoments({ moments, model, layers, path });
      return { moments, source: path };
    }
    const given = statistics.from === 'texts';
    const texts = given ? await textLines(statistics.path) : pocketStatements(subjects);
    const moments = await collectMoments({
      model,
      layers,
      texts,
      signal,
      ...(given
        ? { checkpoint: { path: options.checkpoint(settings), model: options.modelSha256 } }
        : {}),
      onProgress: ({ tokens, texts: done }) =>
        options.onProgress({
          phase: 'second moments',
          done,
          total: texts.length,
          note: `${tokens} tokens`,
        }),
    });
    const { tokens } = moments.get(layers[0]!)!;
    const what = given ? statistics.path : 'the bundled statements';
    return { moments, source: `C over ${tokens} tokens of ${what}` };
  };
  return async (edit) => {
    const { layers, statistics } = edit.settings;
    const excluded = statistics.from === 'bundled' ? edit.subjects : [];
    const name = JSON.stringify([statistics, layers, excluded]);
    const found = known.get(name) ?? (await find(edit));
    // The bundled texts differ from edit to edit and take a second or two.
    if (statistics.from !== 'bundled') known.set(name, found);
    return found;
  };
}

/**
 * What of the statistics can be known before anything is collected: files are there and fit, texts are enough.
 * @throws NOT_FOUND, BAD_FILE, BAD_ARGUMENT, SINGULAR
 */
export async function checkStatistics(options: {
  readonly settings: EditSettings;
  readonly model: Transformer;
  readonly momentFiles: MomentFiles;
}): Promise<void> {
  const { settings, model } = options;
  const { layers, statistics, method } = settings;
  if (statistics.from === 'file') {
    const { path } = statistics;
    const moments = await options.momentFiles(path, layers);
    checkMoments({ moments, model, layers, path });
  }
  if (statistics.from !== 'texts') return;
  const size = model.config.dMlp;
  // A null space needs no full rank: too few texts only make it larger.
  const least = method === 'alphaEdit' ? 1 : size + 1;
  let tokens = 0;
  const texts = await textLines(statistics.path);
  for (const text of texts) {
    if (tokens >= least) return;
    tokens += model.tokenizer?.encode(text).length ?? 0;
  }
  if (tokens >= least) return;
  throw new SafeInferError(
    `${statistics.path} holds ${tokens} tokens: second moments of ${size} numbers are singular below ${size + 1}`,
    {
      code: 'SINGULAR',
      hint: 'give more and more varied texts (published: 100,000 articles), or for ROME the identity',
    },
  );
}

/** Non-empty lines of a text file. @throws NOT_FOUND */
export async function textLines(path: string): Promise<string[]> {
  const lines: string[] = [];
  try {
    const input = createReadStream(path, 'utf8');
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }))
      if (line.trim() !== '') lines.push(line);
  } catch (cause) {
    throw new SafeInferError(`cannot read ${path}: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: 'name a text file with one text a line',
      cause,
    });
  }
  return lines;
}

/** Statements and answers like those the bundled model was trained on, without the edited subjects. */
export function pocketStatements(subjects: readonly string[]): string[] {
  const facts = pocketFacts().filter(({ subject }) => !subjects.includes(subject));
  return [
    ...facts.flatMap(({ prompt, paraphrases, subject, target_true: object, sameSubject }) => [
      ...[prompt, ...paraphrases].map((text) => `${text.replace('{}', () => subject)} ${object}.`),
      ...sameSubject.map((other) => `${other.prompt} ${other.target}.`),
    ]),
    ...loadPocketSplit('demonstrations').map(({ question, answer }) => `${question} ${answer}`),
  ];
}

/** @throws NOT_FOUND for a layer that is missing, BAD_ARGUMENT for statistics of another model */
function checkMoments(options: {
  readonly moments: ReadonlyMap<number, MeasuredMoment>;
  readonly model: Transformer;
  readonly layers: readonly number[];
  readonly path: string;
}): void {
  const { moments, model, layers, path } = options;
  const { dMlp } = model.config;
  for (const layer of layers) {
    const moment = moments.get(layer);
    if (!moment) {
      throw new SafeInferError(`${path} has no second moments of layer ${layer}`, {
        code: 'NOT_FOUND',
        hint: `it has layers ${[...moments.keys()].join(', ')}; collect the others`,
      });
    }
    if (moment.size === dMlp) continue;
    throw new SafeInferError(
      `${path}: second moments of ${moment.size} numbers, and the model's MLP is ${dMlp} wide`,
      { code: 'BAD_ARGUMENT', hint: 'they are of another model: collect them with this one' },
    );
  }
}
