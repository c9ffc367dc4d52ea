// The file of `safeinfer serve --guard`: arms as in an experiment, each of which becomes a model id.
import { z } from 'zod';
import { type ArmConfig, armSchema } from '../config/experiment-schema.ts';
import { parseYaml, readConfigText } from '../config/parse-yaml.ts';
import { ConfigError, type ConfigProblem } from '../errors/config-error.ts';

const guardSchema = z.strictObject({
  schemaVersion: z.literal(1),
  /** Draws the demonstrations of steering vectors. */
  seed: z.int().min(0).default(0),
  arms: z.array(armSchema.omit({ sweep: true })).min(1),
  /** The arm of requests that name no guard; the first one when absent. */
  default: z.string().min(1).optional(),
});

export interface GuardConfig {
  /** What the paths of the arms are relative to. */
  readonly file: string;
  readonly seed: number;
  readonly arms: readonly ArmConfig[];
  readonly default: string;
}

/** Without a file: the model as it is. */
export const PLAIN: GuardConfig = {
  file: 'plain',
  seed: 0,
  arms: [{ name: 'plain' }],
  default: 'plain',
};

/** A model id has its guard after a colon, and HTTP headers hold no spaces at their ends. */
const ARM_NAME = /^[A-Za-z0-9][A-Za-z0-9_.+=-]*$/;

/** @throws ConfigError listing all problems at once */
export function loadGuard(file: string): GuardConfig {
  const { value, problem } = parseYaml(readConfigText(file, 'the guard'), file, guardSchema);
  const { arms } = value;
  const all: ConfigProblem[] = [];
  arms.forEach(({ name }, index) => {
    const path = ['arms', index, 'name'];
    if (!ARM_NAME.test(name)) all.push(problem(path, 'a served arm has no spaces in its name'));
    if (arms.findIndex((other) => other.name === name) !== index) {
      all.push(problem(path, `"${name}" is used twice`));
    }
  });
  const names = arms.map(({ name }) => name);
  if (value.default !== undefined && !names.includes(value.default)) {
    all.push(
      problem(['default'], `no arm is called "${value.default}" (there are: ${names.join(', ')})`),
    );
  }
  if (all.length > 0) throw new ConfigError(file, all);
  return { file, seed: value.seed, arms, default: value.default ?? (names[0] as string) };
}
