// The half-done ranking of heads on disk: a killed or interrupted extraction goes on after its last whole prompt.
import { readFileSync, rmSync } from 'node:fs';
import { SafeInferError } from '@safeinfer/backend';
import type { EffectCheckpoint } from '@safeinfer/steering';
import { z } from 'zod';
import type { RunDirectory } from '../run/run-directory.ts';

const schema = z.object({
  key: z.string(),
  prompts: z.int().min(0),
  effects: z.array(z.number()),
  baseline: z.number(),
});

export interface CheckpointFile {
  readonly path: string;
  /** What an earlier, interrupted call left; undefined when there is nothing. */
  readonly resume: EffectCheckpoint | undefined;
  save(checkpoint: EffectCheckpoint): void;
  remove(): void;
}

/** @throws BAD_FILE for a file that is no checkpoint. */
export function checkpointFile(directory: RunDirectory, name: string): CheckpointFile {
  const path = `${directory.path}/${name}`;
  return {
    path,
    resume: read(path),
    save: (checkpoint) => {
      directory.write(name, JSON.stringify(checkpoint));
    },
    remove: () => rmSync(path, { force: true }),
  };
}

function read(path: string): EffectCheckpoint | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new SafeInferError(`${path} is no checkpoint`, {
      code: 'BAD_FILE',
      hint: 'delete it to start over',
      cause,
    });
  }
}
