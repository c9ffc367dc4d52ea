// Reads an experiment file; every mistake comes back with its line and column.
import { ConfigError, type ConfigProblem } from '../errors/config-error.ts';
import { type Experiment, experimentSchema } from './experiment-schema.ts';
import { parseYaml, readConfigText } from './parse-yaml.ts';

/** @throws ConfigError listing all problems at once. */
export function loadExperiment(file: string): Experiment {
  return parseExperiment(readConfigText(file, 'the experiment'), file);
}

export function parseExperiment(text: string, file: string): Experiment {
  const { value, problem } = parseYaml(text, file, experimentSchema);
  const duplicates = (['arms', 'edits'] as const).flatMap((key) =>
    value[key].flatMap(({ name }, index, all): ConfigProblem[] =>
      all.findIndex((other) => other.name === name) === index
        ? []
        : [problem([key, index, 'name'], `"${name}" is used twice`)],
    ),
  );
  if (duplicates.length > 0) throw new ConfigError(file, duplicates);
  return value;
}
