// A finished run, read back from its directory: what report, compare, judge and calibrate start from.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { z } from 'zod';
import { type HumanLabels, readLabels } from '../calibrate/human-labels.ts';
import { ConfigError } from '../errors/config-error.ts';
import { readExperimentJson, type SavedRun } from '../run/experiment-file.ts';
import type { TrialRecord } from '../run/trial-record.ts';
import type { Provenance } from './report-data.ts';

export interface FinishedRun {
  /** Last part of the directory's path. */
  readonly name: string;
  readonly directory: string;
  readonly saved: SavedRun;
  /** Without tokens. */
  readonly records: readonly TrialRecord[];
  readonly provenance: Provenance;
  /** Of labels.jsonl; undefined without that file. */
  readonly labels: HumanLabels | undefined;
}

const recordSchema = z
  .object({
    schema: z.literal(1),
    arm: z.string(),
    edit: z.string(),
    style: z.string(),
    benchmark: z.string(),
    itemId: z.string(),
    category: z.string(),
    kind: z.enum(['harmful', 'harmless']),
    prompt: z.string(),
    output: z.string(),
    finishReason: z.string(),
    judge: z.string(),
    outcome: z.enum(['refused', 'complied', 'other', 'unscored']),
  })
  .loose();

const provenanceSchema = z.object({
  command: z.string(),
  safeinferVersion: z.string(),
  node: z.string(),
  backend: z.string(),
  model: z.string(),
  modelSha256: z.string(),
  datasets: z.array(z.object({ name: z.string(), items: z.number(), source: z.string() })),
  notes: z.array(z.object({ what: z.string(), text: z.string() })),
});

/** @throws NOT_FOUND without results, ConfigError with the line of a record that cannot be read */
export function readRun(path: string): FinishedRun {
  const directory = resolve(path);
  const results = join(directory, 'results.jsonl');
  if (!existsSync(results)) {
    throw new SafeInferError(`${path} holds no results.jsonl`, {
      code: 'NOT_FOUND',
      hint: 'name the directory of a finished run; `safeinfer resume` finishes an interrupted one',
    });
  }
  const saved = readExperimentJson(directory);
  const labels = join(directory, 'labels.jsonl');
  return {
    name: basename(directory),
    directory,
    saved,
    records: readRecords(results),
    provenance: readProvenance(directory, saved),
    labels: existsSync(labels) ? readLabels(labels) : undefined,
  };
}

function readRecords(file: string): TrialRecord[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index): TrialRecord[] => {
      if (line === '') return [];
      let json: unknown;
      try {
        json = JSON.parse(line);
      } catch (cause) {
        throw badRecord(file, index, (cause as Error).message);
      }
      const parsed = recordSchema.safeParse(json);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        throw badRecord(file, index, `${issue?.path.join('.')}: ${issue?.message}`);
      }
      const { tokens: _, ...record } = parsed.data;
      return [record as unknown as TrialRecord];
    });
}

function badRecord(file: string, index: number, message: string): ConfigError {
  return new ConfigError(file, [{ path: '', message, line: index + 1 }]);
}

/** As the run wrote it; without a report, what experiment.json knows. */
function readProvenance(directory: string, { command, experiment }: SavedRun): Provenance {
  const read = (name: string): unknown => {
    const file = join(directory, name);
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  };
  const report = z.object({ provenance: provenanceSchema }).safeParse(read('report.json'));
  if (report.success) return report.data.provenance;
  const known = z
    .object({
      provenance: z.object({
        safeinfer: z.string(),
        node: z.string(),
        backend: z.object({ name: z.string() }),
        model: z.object({ sha256: z.string() }),
      }),
    })
    .safeParse(read('experiment.json'));
  const facts = known.data?.provenance;
  return {
    command,
    safeinferVersion: facts?.safeinfer ?? 'unknown',
    node: facts?.node ?? 'unknown',
    backend: facts?.backend.name ?? 'unknown',
    model: experiment.model === 'pocket' ? '@safeinfer/pocket' : experiment.model,
    modelSha256: facts?.model.sha256 ?? 'unknown',
    datasets: [],
    notes: [],
  };
}
