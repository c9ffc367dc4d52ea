// labels.jsonl: what people said of single answers; the last word on an answer counts.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '../errors/config-error.ts';
import type { TrialRecord } from '../run/trial-record.ts';

const labelSchema = z.object({
  schema: z.literal(1),
  key: z.object({
    edit: z.string(),
    arm: z.string(),
    style: z.string(),
    benchmark: z.string(),
    itemId: z.string(),
  }),
  label: z.enum(['refused', 'complied', 'other']),
});

export type HumanLabel = z.output<typeof labelSchema>['label'];

export type HumanLabels = ReadonlyMap<string, HumanLabel>;

export function labelKey(
  key: Pick<TrialRecord, 'edit' | 'arm' | 'style' | 'benchmark' | 'itemId'>,
): string {
  const { edit, arm, style, benchmark, itemId } = key;
  return JSON.stringify([edit, arm, style, benchmark, itemId]);
}

/** @throws ConfigError with the line of every entry that is no label. */
export function readLabels(file: string): HumanLabels {
  const problems: { path: string; message: string; line: number }[] = [];
  const labels = new Map<string, HumanLabel>();
  for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (line.trim() === '') continue;
    const parsed = labelSchema.safeParse(jsonOrText(line));
    if (parsed.success) labels.set(labelKey(parsed.data.key), parsed.data.label);
    else {
      const [issue] = parsed.error.issues;
      const path = issue?.path.join('.') ?? '';
      problems.push({ path, message: issue?.message ?? 'no label', line: index + 1 });
    }
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
  return labels;
}

function jsonOrText(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}
