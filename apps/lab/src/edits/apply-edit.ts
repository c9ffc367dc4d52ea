// An edit arm: facts rewritten before the arms run, taken back bit for bit afterwards.
import {
  contextTemplates,
  type EditRecord,
  type EditRequest,
  EditSession,
  randomChange,
  randomRankOne,
  type WeightDelta,
} from '@safeinfer/editing';
import { contentHash } from '@safeinfer/harmeval';
import type { Transformer } from '@safeinfer/transformer';
import { editMethod } from '../edit/edit-method.ts';
import type { StatisticsFor } from '../edit/edit-statistics.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { Store } from '../store/open-store.ts';
import type { EditPlan, PlannedEditor } from './plan-edit.ts';
import { type EditJson, editFromJson, editToJson } from './stored-edit-json.ts';

export interface AppliedEdit extends Disposable {
  readonly name: string;
  readonly notes: readonly string[];
  /** Keys of what was stored for it. */
  readonly keys: readonly string[];
}

/** Seed of the sampled openings: the same for every edit, so that a fact alone is the same edit wherever it stands. */
const CONTEXT_SEED = 1;

/**
 * Rewrites the facts, as many a call as planned. A computed edit is kept in the store, so that a resumed run has the same
 * weights without computing them again. Disposing the result restores the model.
 */
export async function applyEdit(options: {
  readonly edit: EditPlan;
  readonly model: Transformer;
  /** What decides an edit besides its own settings. */
  readonly identity: unknown;
  readonly statistics: StatisticsFor;
  readonly store: Store | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}): Promise<AppliedEdit> {
  const { edit, model, store, signal } = options;
  const { editor, requests, name } = edit;
  const session = new EditSession(model);
  const notes: string[] = [];
  const keys: string[] = [];
  try {
    const method = editor && methodOnce({ ...options, editor, requests });
    for (const [index, group] of editor ? groupsOf(requests, editor.batch).entries() : []) {
      const done = Math.min(requests.length, (index + 1) * editor!.batch);
      // The edits before it are part of the model that it was computed on.
      const key = contentHash({
        kind: 'edit',
        version: 2,
        identity: options.identity,
        editor: editor!.identity,
        requests: requests.slice(0, done).map(withoutId),
      });
      const stored = store?.get(key) as EditJson | undefined;
      if (stored === undefined) {
        await session.edit(group, await method!(), {
          id: String(index),
          signal,
          onProgress: ({ phase, done: at, total }) =>
            options.onProgress({ phase: `edit ${name}: ${phase}`, done: at, total }),
        });
        store?.set(new Map([[key, editToJson(session.stored(String(index)))]]));
      } else {
        await session.restore(editFromJson(stored));
      }
      keys.push(key);
      options.onProgress({ phase: `edit ${name}`, done, total: requests.length });
    }
    if (editor) notes.push(settingsNote(editor));
    for (const record of session.records) notes.push(...notesOf(record, editor?.control));
    if (editor?.control !== undefined) await replaceByControl(session, editor.control);
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  }
  return { name, notes, keys, [Symbol.dispose]: () => session[Symbol.dispose]() };
}

/** Statistics, openings and editor, made when the first edit is not in the store. */
function methodOnce(options: {
  readonly editor: PlannedEditor;
  readonly requests: readonly EditRequest[];
  readonly model: Transformer;
  readonly statistics: StatisticsFor;
  readonly signal: AbortSignal;
}): () => Promise<ReturnType<typeof editMethod>> {
  const { editor, requests, model, signal } = options;
  const { settings } = editor;
  let made: ReturnType<typeof editMethod> | undefined;
  return async () => {
    if (made) return made;
    const subjects = requests.map(({ subject }) => subject);
    const { moments } = await options.statistics({ settings, subjects });
    const templates =
      editor.contexts === 'bare'
        ? ['{}']
        : await contextTemplates({ model, seed: CONTEXT_SEED, style: 'memit', signal });
    made = editMethod({ settings, moments, contextTemplates: templates });
    return made;
  };
}

/** Every edit of the session makes room for a random change as large, the same in every run. */
async function replaceByControl(
  session: EditSession,
  control: 'random' | 'randomRankOne',
): Promise<void> {
  const edits = session.records.map((record) => session.stored(record.id));
  session.reset();
  for (const { record, deltas } of edits) {
    const like: readonly WeightDelta[] = deltas;
    const seed = controlSeed(record.requests);
    await session.apply(
      control === 'random' ? randomChange({ like, seed }) : randomRankOne({ like, seed }),
    );
  }
}

/** The same control for the same facts in every run. */
function controlSeed(requests: readonly EditRequest[]): number {
  return Number.parseInt(contentHash(requests.map(withoutId)).slice(0, 8), 16);
}

function withoutId({ prompt, subject, targetNew }: EditRequest): EditRequest {
  return { prompt, subject, targetNew };
}

function groupsOf<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
}

/** Which settings were taken and why; the store knows them by their numbers alone. */
function settingsNote({ settings }: PlannedEditor): string {
  const { method, layers, source } = settings;
  return `${method} at layer${layers.length > 1 ? 's' : ''} ${layers.join(', ')} (settings: ${source})`;
}

/** One line a fact, then the alarms; of a control the one line that says what it is as large as. */
function notesOf(record: EditRecord, control: PlannedEditor['control']): string[] {
  const facts = record.requests.map(({ prompt, subject, targetNew }, i) => {
    const losses = record.losses[i]!;
    const { before, after } = record.targetProbability[i]!;
    return (
      `"${prompt.replace('{}', () => subject)}" -> "${targetNew.trim()}" ` +
      `(loss ${losses[0]?.toFixed(2)} -> ${losses.at(-1)?.toFixed(2)}, ` +
      `p(target) ${before.toPrecision(2)} -> ${after.toPrecision(2)})`
    );
  });
  const weights = record.weights.map(({ name }) => name).join(', ');
  if (control !== undefined) {
    const what = control === 'random' ? 'a random change' : 'a random rank-one change';
    return [`${what} of ${weights}, as large as the edit ${facts.join('; ')}`];
  }
  return [...facts, ...record.alarms.map(({ kind, message }) => `ALARM ${kind}: ${message}`)];
}
