// What `safeinfer trace` runs on: one prompt, or many known facts of a file.
import { readFileSync } from 'node:fs';
import { SafeInferError } from '@safeinfer/backend';
import { pocketFacts } from '@safeinfer/pocket';
import { z } from 'zod';

export interface TracePrompt {
  readonly id: string;
  readonly prompt: string;
  readonly subject: string;
  /** The object a correct model answers: other facts are left out of averages. */
  readonly expect?: string;
}

export interface TracePromptFlags {
  readonly prompt?: string;
  readonly subject?: string;
  readonly expect?: string;
  readonly facts?: string;
  readonly count: number;
}

const rows = z
  .array(
    z.looseObject({
      known_id: z.union([z.number(), z.string()]).optional(),
      id: z.string().optional(),
      prompt: z.string().min(1),
      subject: z.string().min(1),
      attribute: z.string().optional(),
      expect: z.string().optional(),
    }),
  )
  .min(1);

/** @throws BAD_ARGUMENT, NOT_FOUND, BAD_DATASET */
export function tracePrompts(flags: TracePromptFlags): readonly TracePrompt[] {
  const { facts, prompt, subject, expect, count } = flags;
  if (facts === 'pocket') return spread(bundled(), count);
  if (facts !== undefined) return spread(readFacts(facts), count);
  if (prompt === undefined || subject === undefined) {
    throw new SafeInferError('nothing to trace', {
      code: 'BAD_ARGUMENT',
      hint: '--prompt "The capital of France is" --subject France, or --facts known_1000.json, or --facts pocket',
    });
  }
  return [
    {
      id: 'prompt',
      prompt: prompt.replace('{}', () => subject),
      subject,
      ...(expect === undefined ? {} : { expect }),
    },
  ];
}

function bundled(): TracePrompt[] {
  return pocketFacts().map(({ id, prompt, subject, target_true: expect }) => ({
    id,
    prompt: prompt.replace('{}', () => subject),
    subject,
    expect,
  }));
}

/** known_1000's layout, or {id, prompt, subject, expect}. */
function readFacts(path: string): TracePrompt[] {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new SafeInferError(`cannot read ${path}: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: '--facts names a JSON list as known_1000.json, or "pocket"',
      cause,
    });
  }
  const parsed = rows.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new SafeInferError(`${path}: ${issue?.path.join('.')}: ${issue?.message}`, {
      code: 'BAD_DATASET',
      hint: 'rows are {"prompt", "subject", "attribute"} as in known_1000.json',
    });
  }
  return parsed.data.map((row, index) => {
    const expect = row.expect ?? row.attribute;
    return {
      id: row.id ?? String(row.known_id ?? index),
      prompt: row.prompt,
      subject: row.subject,
      ...(expect === undefined ? {} : { expect }),
    };
  });
}

/** Evenly spaced: files are ordered by relation. */
export function spread<T>(all: readonly T[], count: number): T[] {
  if (count >= all.length) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
}
