// An edit arm: facts rewritten by ROME before the arms run, taken back bit for bit afterwards.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import {
  type EditRequest,
  EditSession,
  type LowRankDelta,
  ROME_PRESETS,
  randomRankOne,
  readMoments,
  rome,
} from '@safeinfer/editing';
import { contentHash } from '@safeinfer/harmeval';
import { pocketFacts } from '@safeinfer/pocket';
import type { Transformer } from '@safeinfer/transformer';
import { z } from 'zod';
import type { EditConfig } from '../config/experiment-schema.ts';
import { nearestName } from '../config/nearest-name.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { Store } from '../store/open-store.ts';

export interface AppliedEdit extends Disposable {
  readonly name: string;
  readonly notes: readonly string[];
  /** Keys of what was stored for it. */
  readonly keys: readonly string[];
}

/** A computed edit as the store has it: numbers instead of typed arrays. */
interface StoredEdit {
  readonly weight: string;
  readonly left: readonly number[];
  readonly right: readonly number[];
  readonly note: string;
}

const requestRows = z.array(
  z.object({ prompt: z.string(), subject: z.string(), targetNew: z.string() }),
);

/** What the bundled model was measured with (its model card); a preset replaces all of it. */
const POCKET_ROME = { layer: 0, learningRate: 1, steps: 60, clampFactor: 4 } as const;

/** @throws BAD_ARGUMENT for an unknown preset */
function romeSettings(config: NonNullable<EditConfig['rome']>): {
  readonly layer: number;
  readonly learningRate: number;
  readonly steps: number;
  readonly clampFactor: number;
} {
  const { preset, layer, learningRate, steps, clampFactor, weightDecay } = config;
  const base = preset === undefined ? POCKET_ROME : ROME_PRESETS[preset];
  if (base === undefined) {
    const names = Object.keys(ROME_PRESETS);
    const near = nearestName(preset ?? '', names);
    throw new SafeInferError(`no ROME preset "${preset}"`, {
      code: 'BAD_ARGUMENT',
      hint: `${near === undefined ? '' : `did you mean "${near}"? `}use one of: ${names.join(', ')}`,
    });
  }
  const { layer: ownLayer, ...value } = base;
  const {
    keys,
    moment: _,
    source: __,
    ...numbers
  } = value as typeof value & {
    readonly keys?: 'original' | 'averaged';
    readonly moment?: string;
    readonly source?: string;
  };
  const given = { learningRate, steps, clampFactor, weightDecay };
  return {
    ...numbers,
    ...(keys === undefined ? {} : { keys }),
    layer: layer ?? ownLayer,
    ...(Object.fromEntries(
      Object.entries(given).filter(([, entry]) => entry !== undefined),
    ) as Record<never, never>),
  };
}

/**
 * Rewrites the facts one after the other. A computed edit is kept in the store, so that a resumed run has the same
 * weights without computing them again. Disposing the result restores the model.
 */
export async function applyEdit(options: {
  readonly edit: EditConfig;
  readonly requests: readonly EditRequest[];
  readonly model: Transformer;
  /** What decides an edit besides its own settings. */
  readonly identity: unknown;
  readonly experimentFile: string;
  readonly store: Store | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}): Promise<AppliedEdit> {
  const { edit, requests, model, store, signal } = options;
  const session = new EditSession(model);
  const notes: string[] = [];
  const keys: string[] = [];
  try {
    const config = edit.rome;
    const settings = config && romeSettings(config);
    const moment =
      config?.moments === undefined
        ? undefined
        : (await readMoments(resolve(dirname(options.experimentFile), config.moments))).get(
            settings!.layer,
          );
    for (const [index, request] of requests.entries()) {
      if (!settings || !config) continue;
      // The edits before it are part of the model that it was computed on.
      const key = contentHash({
        kind: 'edit',
        version: 1,
        identity: options.identity,
        settings,
        factToken: config.factToken,
        moments: config.moments ?? null,
        requests: requests.slice(0, index + 1),
      });
      let stored = store?.get(key) as StoredEdit | undefined;
      if (stored === undefined) {
        const { delta, losses } = await rome({
          model,
          request,
          ...settings,
          factToken: config.factToken,
          ...(moment === undefined ? {} : { moment }),
          signal,
        });
        stored = {
          weight: delta.weight,
          left: Array.from(delta.left),
          right: Array.from(delta.right),
          note: `"${request.prompt.replace('{}', request.subject)}" -> "${request.targetNew.trim()}" (loss ${losses[0]?.toFixed(2)} -> ${losses.at(-1)?.toFixed(2)})`,
        };
        store?.set(new Map([[key, stored]]));
      }
      const delta = toDelta(stored);
      if (config.control === undefined) {
        await session.apply([delta]);
        notes.push(stored.note);
      } else {
        await session.apply(randomRankOne({ like: [delta], seed: controlSeed(request) }));
        notes.push(
          `a random rank-one change of ${delta.weight}, as large as the edit ${stored.note}`,
        );
      }
      keys.push(key);
      options.onProgress({ phase: `edit ${edit.name}`, done: index + 1, total: requests.length });
    }
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  }
  return { name: edit.name, notes, keys, [Symbol.dispose]: () => session[Symbol.dispose]() };
}

/** The same control for the same fact in every run. */
function controlSeed({ prompt, subject, targetNew }: EditRequest): number {
  return Number.parseInt(contentHash({ prompt, subject, targetNew }).slice(0, 8), 16);
}

function toDelta({ weight, left, right }: StoredEdit): LowRankDelta {
  return {
    weight: weight as LowRankDelta['weight'],
    lefts: [Float64Array.from(left)],
    rights: [Float64Array.from(right)],
  };
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
