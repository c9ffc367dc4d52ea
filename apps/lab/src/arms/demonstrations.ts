// Demonstrations for safety amplification, from the bundled model's vector split or from a file.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { pocketDemonstrations } from '@safeinfer/pocket';
import type { Demonstration } from '@safeinfer/steering';
import { z } from 'zod';
import type { ArmConfig } from '../config/experiment-schema.ts';

type DemonstrationSource = 'pocket' | { readonly path: string };

const rows = z.array(z.object({ question: z.string().min(1), answer: z.string().min(1) }));

export interface ArmDemonstrations {
  readonly safe: readonly Demonstration[];
  readonly compliant: readonly Demonstration[] | undefined;
}

/** Everything an arm's vector is built from; undefined for arms without one. */
export function armDemonstrations(
  arm: ArmConfig,
  experimentFile: string,
): ArmDemonstrations | undefined {
  const amplification = arm.steer?.safetyAmplification;
  if (!amplification) return undefined;
  const { safe, compliant } = amplification;
  const relativeTo = experimentFile;
  return {
    safe: loadDemonstrations({ source: safe, behaviour: 'refuse', relativeTo }),
    compliant:
      compliant && loadDemonstrations({ source: compliant, behaviour: 'comply', relativeTo }),
  };
}

/** Questions with answers of one behaviour, each question once. */
export function loadDemonstrations(options: {
  readonly source: DemonstrationSource;
  readonly behaviour: 'refuse' | 'comply';
  /** File that names the source: relative paths are relative to it. */
  readonly relativeTo: string;
}): Demonstration[] {
  const { source, behaviour, relativeTo } = options;
  if (source === 'pocket') {
    const seen = new Set<string>();
    return pocketDemonstrations(behaviour)
      .filter(({ question }) => !seen.has(question) && seen.add(question))
      .map(({ question, answer }) => ({ question, answer }));
  }
  const file = resolve(dirname(relativeTo), source.path);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SafeInferError(`cannot read demonstrations: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: 'paths in an experiment are relative to the experiment file',
      cause,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw badFile(file, (cause as Error).message);
  }
  const parsed = rows.safeParse(json);
  if (parsed.success) return parsed.data;
  throw badFile(file, z.prettifyError(parsed.error).split('\n')[0] ?? 'wrong form');
}

function badFile(file: string, why: string): SafeInferError {
  return new SafeInferError(`${file}: ${why}`, {
    code: 'BAD_DATASET',
    hint: 'a JSON list of {"question": "...", "answer": "..."}',
  });
}
