// The small files of a run directory: what the run is, how far it is, which maps and traces it has.
import type { Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Progress, progressSchema, type RunSummary } from '@safeinfer/viewer';
import { z } from 'zod';

/** A run that has not told of itself for this long is not running any more. Milliseconds. */
const SILENCE = 60_000;

/** Any of these makes a directory a run. */
const RUN_FILES = ['results.jsonl', 'experiment.json', 'report.json', 'progress.json'];

/** Run directories by name: the directory itself when it is one, else its subdirectories that are. */
export async function findRuns(root: string): Promise<ReadonlyMap<string, string>> {
  if (await isRun(root)) return new Map([[baseName(root), root]]);
  const runs = new Map<string, string>();
  for (const entry of (await readdir(root, { withFileTypes: true })).sort(byName)) {
    const path = join(root, entry.name);
    if ((entry.isDirectory() || entry.isSymbolicLink()) && (await isRun(path))) {
      runs.set(entry.name, path);
    }
  }
  return runs;
}

export async function summaryOf(id: string, directory: string): Promise<RunSummary> {
  const [results, report, heads, traces] = await Promise.all(
    ['results.jsonl', 'report.json', 'heads', 'traces'].map((name) =>
      statOf(join(directory, name)),
    ),
  );
  const progressFacts = await statOf(join(directory, 'progress.json'));
  const progress = progressFacts
    ? await readJson(join(directory, 'progress.json'), progressSchema)
    : null;
  return {
    id,
    model: await modelOf(directory),
    status: statusOf(progress, progressFacts?.mtimeMs, results !== undefined),
    progress,
    hasReport: report !== undefined,
    bytes: results?.size ?? 0,
    revision: [results, report, heads, traces]
      .map((facts) => (facts ? `${facts.ino}-${facts.size}-${facts.mtimeMs}` : ''))
      .join('/'),
  };
}

function statusOf(
  progress: Progress | null,
  touched: number | undefined,
  hasResults: boolean,
): RunSummary['status'] {
  if (progress && progress.phase !== 'done') {
    return Date.now() - (touched ?? 0) < SILENCE ? 'running' : 'stalled';
  }
  return hasResults ? 'done' : 'empty';
}

/** Names of the JSON files in a folder of the run, without the ending. */
export async function jsonNames(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length))
      .sort();
  } catch {
    return [];
  }
}

/** Null when the file is missing, unreadable or of another shape. */
export async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    const parsed = schema.safeParse(JSON.parse(await readFile(file, 'utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

const named = z.union([z.string(), z.object({ name: z.string() }).transform(({ name }) => name)]);
/** Where a run may name its model: experiment.json, else the experiment inside report.json. */
const modelSchema = z.object({
  model: named.optional(),
  experiment: z.object({ model: named.optional() }).optional(),
  provenance: z.object({ model: named.optional() }).optional(),
});

async function modelOf(directory: string): Promise<string> {
  for (const file of ['experiment.json', 'report.json']) {
    const found = await readJson(join(directory, file), modelSchema);
    const model = found?.experiment?.model ?? found?.provenance?.model ?? found?.model;
    if (model !== undefined) return model;
  }
  return '';
}

async function isRun(directory: string): Promise<boolean> {
  for (const name of RUN_FILES) if ((await statOf(join(directory, name)))?.isFile()) return true;
  return false;
}

async function statOf(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch {
    return undefined;
  }
}

function baseName(path: string): string {
  return path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}
