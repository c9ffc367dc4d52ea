// An edit arm: facts rewritten by ROME before the arms run, taken back bit for bit afterwards.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { type EditRequest, EditSession, rome } from '@safeinfer/editing';
import { pocketFacts } from '@safeinfer/pocket';
import type { Transformer } from '@safeinfer/transformer';
import { z } from 'zod';
import type { EditConfig } from '../config/experiment-schema.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';

export interface AppliedEdit extends Disposable {
  readonly name: string;
  readonly notes: readonly string[];
}

const requestRows = z.array(
  z.object({ prompt: z.string(), subject: z.string(), targetNew: z.string() }),
);

/** Disposing the result restores the model. */
export async function applyEdit(options: {
  readonly edit: EditConfig;
  readonly requests: readonly EditRequest[];
  readonly model: Transformer;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}): Promise<AppliedEdit> {
  const { edit, requests, model, signal } = options;
  const session = new EditSession(model);
  const notes: string[] = [];
  try {
    for (const [index, request] of requests.entries()) {
      const { delta, losses } = await rome({
        model,
        request,
        layer: edit.rome?.layer ?? 0,
        factToken: edit.rome?.factToken ?? 'subjectLast',
        // What the bundled model was measured with (its model card); real models want the package's presets.
        learningRate: 1,
        steps: 60,
        clampFactor: 4,
        signal,
      });
      await session.apply([delta]);
      notes.push(
        `"${request.prompt.replace('{}', request.subject)}" -> "${request.targetNew.trim()}" (loss ${losses[0]?.toFixed(2)} -> ${losses.at(-1)?.toFixed(2)})`,
      );
      options.onProgress({ phase: `edit ${edit.name}`, done: index + 1, total: requests.length });
    }
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  }
  return { name: edit.name, notes, [Symbol.dispose]: () => session[Symbol.dispose]() };
}

/** The facts an edit arm rewrites; none for the unedited arm. */
export function editRequests({ rome: config }: EditConfig, file: string): EditRequest[] {
  if (config === undefined) return [];
  if (config.facts === 'pocket') {
    return pocketFacts()
      .slice(0, config.count)
      .map(({ id, prompt, subject, target_new }) => ({
        id,
        prompt,
        subject,
        targetNew: target_new,
      }));
  }
  const path = resolve(dirname(file), config.facts.path);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new SafeInferError(`cannot read edit requests: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: 'paths in an experiment are relative to the experiment file',
      cause,
    });
  }
  const parsed = requestRows.safeParse(json);
  if (!parsed.success || parsed.data.length === 0) {
    throw new SafeInferError(`${path} holds no edit requests`, {
      code: 'BAD_DATASET',
      hint: 'a JSON list of {"prompt": "{} is the capital of", "subject": "...", "targetNew": "..."}',
    });
  }
  return parsed.data.slice(0, config.count);
}
