// Second moments of `safeinfer edit`: from a file, collected from texts, or of the bundled model's own statements.
import { readFile } from 'node:fs/promises';
import { SafeInferError } from '@safeinfer/backend';
import {
  collectMoments,
  type MeasuredMoment,
  readMomentNpz,
  readMoments,
} from '@safeinfer/editing';
import { loadPocketSplit, pocketFacts } from '@safeinfer/pocket';
import type { Transformer } from '@safeinfer/transformer';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { EditFlags } from './edit-flags.ts';

export interface EditStatistics {
  /** Undefined: no statistics, which for ROME means C = I. */
  readonly moments: ReadonlyMap<number, MeasuredMoment> | undefined;
  readonly source: string;
}

/** @throws NOT_FOUND, BAD_FILE, BAD_ARGUMENT */
export async function editStatistics(options: {
  readonly flags: EditFlags;
  readonly model: Transformer;
  readonly layers: readonly number[];
  /** Subjects that are edited: their statements stay out of the bundled model's statistics. */
  readonly subjects: readonly string[];
  readonly checkpoint: string;
  readonly modelSha256: string;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}): Promise<EditStatistics> {
  const { flags, model, layers, signal } = options;
  const { moments: file, collect } = flags;
  if (file === 'identity') return { moments: undefined, source: 'C = I' };
  if (file !== undefined) return { moments: await momentsOf(file, layers), source: file };
  const texts = await textsOf(options);
  if (texts === undefined)
    return { moments: undefined, source: 'C = I (no --moments or --collect)' };
  const moments = await collectMoments({
    model,
    layers,
    texts,
    signal,
    ...(collect === undefined
      ? {}
      : { checkpoint: { path: options.checkpoint, model: options.modelSha256 } }),
    onProgress: ({ tokens, texts: done }) =>
      options.onProgress({
        phase: 'second moments',
        done,
        total: texts.length,
        note: `${tokens} tokens`,
      }),
  });
  const tokens = [...moments.values()][0]!.tokens;
  return { moments, source: `${tokens} tokens of ${collect ?? 'the bundled statements'}` };
}

async function textsOf(options: {
  readonly flags: EditFlags;
  readonly subjects: readonly string[];
}): Promise<readonly string[] | undefined> {
  const { flags, subjects } = options;
  if (flags.collect !== undefined) {
    try {
      const text = await readFile(flags.collect, 'utf8');
      return text.split('\n').filter((line) => line.trim() !== '');
    } catch (cause) {
      throw new SafeInferError(`cannot read ${flags.collect}: ${(cause as Error).message}`, {
        code: 'NOT_FOUND',
        hint: '--collect names a text file with one text a line',
        cause,
      });
    }
  }
  if (flags.model !== 'pocket') return undefined;
  return pocketStatements(subjects);
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

async function momentsOf(
  file: string,
  layers: readonly number[],
): Promise<ReadonlyMap<number, MeasuredMoment>> {
  if (!file.endsWith('.npz')) return await readMoments(file);
  const [layer] = layers;
  if (layers.length !== 1) {
    throw new SafeInferError('an .npz file holds one layer', {
      code: 'BAD_ARGUMENT',
      hint: 'gather several with readMomentNpz and writeMoments, and give that file',
    });
  }
  return new Map([[layer!, readMomentNpz(await readFile(file))]]);
}
