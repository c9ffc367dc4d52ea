// Reads an experiment file; every mistake comes back with its line and column.
import { ConfigError, type ConfigProblem } from '../errors/config-error.ts';
import { expandArms } from './expand-arms.ts';
import { type Experiment, experimentFileSchema } from './experiment-schema.ts';
import { parseYaml, readConfigText } from './parse-yaml.ts';

/** A model of an experiment: what it is called, and where it is. */
export interface ModelChoice {
  readonly name: string;
  readonly path: string;
}

export interface LoadedExperiment {
  readonly experiment: Experiment;
  /** One unless the file lists several: each is a run of its own. */
  readonly models: readonly ModelChoice[];
}

/** @throws ConfigError listing all problems at once. */
export function loadExperiment(file: string): Experiment {
  return loadExperimentFile(file).experiment;
}

/** @throws ConfigError listing all problems at once. */
export function loadExperimentFile(file: string): LoadedExperiment {
  return readExperiment(readConfigText(file, 'the experiment'), file);
}

/** @throws ConfigError listing all problems at once. */
export function parseExperiment(text: string, file: string): Experiment {
  return readExperiment(text, file).experiment;
}

function readExperiment(text: string, file: string): LoadedExperiment {
  const { value, problem } = parseYaml(text, file, experimentFileSchema);
  const { arms, problems } = expandArms(value, problem);
  const all = [...problems, ...duplicates(value, arms, problem)];
  if (all.length > 0) throw new ConfigError(file, all);
  const { matrix: _, models, arms: __, ...rest } = value;
  const choices = (models ?? [value.model]).map(
    (model): ModelChoice =>
      typeof model === 'string' ? { name: slug(model), path: model } : model,
  );
  const model = choices[0]!.path;
  return { experiment: { ...rest, model, arms }, models: choices };
}

function duplicates(
  value: {
    readonly arms: readonly { readonly name: string }[];
    readonly edits: readonly { readonly name: string }[];
  },
  expanded: readonly { readonly name: string }[],
  problem: (path: readonly (string | number)[], message: string) => ConfigProblem,
): ConfigProblem[] {
  const found = (['arms', 'edits'] as const).flatMap((key) =>
    value[key].flatMap(({ name }, index, all): ConfigProblem[] =>
      all.findIndex((other) => other.name === name) === index
        ? []
        : [problem([key, index, 'name'], `"${name}" is used twice`)],
    ),
  );
  if (found.length > 0) return found;
  const names = expanded.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined
    ? []
    : [
        problem(
          ['arms'],
          `"${twice}" is the name of two arms once sweeps and matrix are written out`,
        ),
      ];
}

/** Last part of a path or hub name: what a run directory can be called. */
function slug(model: string): string {
  return (model.split(/[\\/]/).filter(Boolean).at(-1) ?? model).replaceAll(
    /[^A-Za-z0-9_.+-]+/g,
    '-',
  );
}
