// experiment.json of a run directory: the resolved experiment and where it ran; what resume and retry start from.
import { existsSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { BackendReport } from '@safeinfer/backend';
import { z } from 'zod';
import { version } from '../cli/version.ts';
import { type Experiment, experimentFileSchema } from '../config/experiment-schema.ts';
import { ConfigError } from '../errors/config-error.ts';
import type { ModelFacts } from '../model/open-model.ts';

const NAME = 'experiment.json';

const fileSchema = z.object({
  schema: z.literal(1),
  experiment: experimentFileSchema,
  experimentFile: z.string(),
  limit: z.int().min(1).optional(),
  backend: z.string().optional(),
  store: z.string().nullable(),
  provenance: z.object({ command: z.string() }).loose(),
});

export interface SavedRun {
  readonly experiment: Experiment;
  /** Absolute; paths in the experiment are relative to it. */
  readonly experimentFile: string;
  readonly limit: number | undefined;
  /** As asked for on the command line. */
  readonly backend: string | undefined;
  /** Absolute; undefined for a run without a store. */
  readonly store: string | undefined;
  readonly command: string;
}

/** Paths inside are relative to the run directory, so that a whole tree can be moved. */
export function experimentJson(options: {
  readonly run: SavedRun;
  readonly directory: string;
  readonly backend: BackendReport;
  readonly model: ModelFacts;
}): string {
  const { run, directory, backend, model } = options;
  const { name, threads, versions } = backend;
  const content = {
    schema: 1,
    experiment: run.experiment,
    experimentFile: relative(directory, run.experimentFile),
    ...(run.limit === undefined ? {} : { limit: run.limit }),
    ...(run.backend === undefined ? {} : { backend: run.backend }),
    store: run.store === undefined ? null : relative(directory, run.store),
    provenance: {
      safeinfer: version,
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
      backend: { name, threads, versions },
      model: { name: model.name, sha256: model.sha256 },
      command: run.command,
    },
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

export function isRunDirectory(directory: string): boolean {
  return existsSync(join(directory, NAME));
}

/** @throws ConfigError for a directory that no run was started in, or whose file is damaged. */
export function readExperimentJson(directory: string): SavedRun {
  const file = join(directory, NAME);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new ConfigError(file, [
      { path: '', message: `no run can be read there: ${(cause as Error).message}` },
    ]);
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    throw new ConfigError(
      file,
      parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })),
    );
  }
  const { experiment, experimentFile, limit, backend, store, provenance } = parsed.data;
  return {
    experiment,
    experimentFile: resolve(directory, experimentFile),
    limit,
    backend,
    store: store === null ? undefined : resolve(directory, store),
    command: provenance.command,
  };
}
