// Saved edits on a model: is it the model they were made for, does undoing give back every bit, is one edit enough less?
import { SafeInferError } from '@safeinfer/backend';
import { EditSession } from '@safeinfer/editing';
import type { Transformer } from '@safeinfer/transformer';
import { changedWeights, weightHashes } from './weight-hashes.ts';

export interface SessionCheck {
  readonly edits: readonly string[];
  /** SHA-256 unedited, with the edits, and with all of them undone. */
  readonly weights: readonly {
    readonly name: string;
    readonly unedited: string;
    readonly edited: string;
  }[];
  /** Every weight has its first bits again once the edits are undone. */
  readonly restored: boolean;
}

/** @throws WRONG_MODEL when the weights are not those the edits were made for, BAD_FILE, NOT_FOUND */
export async function verifySession(model: Transformer, path: string): Promise<SessionCheck> {
  const unedited = await weightHashes(model);
  const session = await EditSession.load(model, path);
  try {
    const edited = await weightHashes(model);
    const edits = session.edits;
    session.reset();
    const restored = changedWeights(unedited, await weightHashes(model)).length === 0;
    return {
      edits,
      weights: changedWeights(unedited, edited).map((name) => ({
        name,
        unedited: unedited.get(name)!,
        edited: edited.get(name)!,
      })),
      restored,
    };
  } finally {
    session[Symbol.dispose]();
  }
}

/** Takes one edit (default: the last) out of a saved session and writes the session without it. */
export async function undoSaved(options: {
  readonly model: Transformer;
  readonly path: string;
  readonly id?: string | undefined;
  readonly out: string;
}): Promise<{ readonly undone: string; readonly left: readonly string[] }> {
  const { model, path, out } = options;
  using session = await EditSession.load(model, path);
  const id = options.id ?? session.edits.at(-1);
  if (id === undefined) {
    throw new SafeInferError(`${path} holds no edits`, {
      code: 'NOT_FOUND',
      hint: 'there is nothing to undo',
    });
  }
  session.undo(id);
  await session.save(out);
  return { undone: id, left: session.edits };
}
