// Sweeps and the matrix written out: every combination becomes one arm with a name of its own.
import type { ConfigProblem } from '../errors/config-error.ts';
import { type ArmConfig, armSchema, type ExperimentFile } from './experiment-schema.ts';
import { knownKeys } from './known-keys.ts';
import { nearestName } from './nearest-name.ts';

type Problem = (path: readonly (string | number)[], message: string) => ConfigProblem;

export interface ExpandedArms {
  readonly arms: readonly ArmConfig[];
  readonly problems: readonly ConfigProblem[];
}

/** Arms in file order, each sweep in the order of its values (the last path varies fastest), then the matrix. */
export function expandArms(file: ExperimentFile, problem: Problem): ExpandedArms {
  const problems: ConfigProblem[] = [];
  const arms = file.arms.flatMap(({ sweep, ...arm }, index): ArmConfig[] => {
    if (sweep === undefined) return [arm];
    return combinations(Object.entries(sweep)).flatMap((choice): ArmConfig[] => {
      const swept: Record<string, unknown> = structuredClone(arm);
      for (const { path, value } of choice) {
        const fault = setAt(swept, path.split('.'), value);
        if (fault !== undefined) {
          problems.push(problem(['arms', index, 'sweep', path], fault));
          return [];
        }
      }
      swept['name'] =
        `${arm.name} ${choice.map(({ path, value }) => `${path.split('.').at(-1)}=${label(value)}`).join(' ')}`;
      const parsed = armSchema.safeParse(swept);
      if (parsed.success) {
        const { sweep: _, ...expanded } = parsed.data;
        return [expanded];
      }
      const [issue] = parsed.error.issues;
      const at = choice.find(({ path }) => issue?.path.join('.').startsWith(path)) ?? choice[0]!;
      problems.push(
        problem(
          ['arms', index, 'sweep', at.path, at.index],
          `${issue?.path.join('.')}: ${issue?.message}`,
        ),
      );
      return [];
    });
  });
  return { arms: [...arms, ...matrixArms(file.matrix)], problems: distinct(problems) };
}

function matrixArms(matrix: ExperimentFile['matrix']): ArmConfig[] {
  if (matrix === undefined) return [];
  const factors = Object.entries(matrix).flatMap(
    ([factor, choices]): [string, [string, unknown][]][] =>
      choices === undefined ? [] : [[factor, Object.entries(choices)]],
  );
  return combinations(factors).map((choice) => ({
    name: choice.map(({ value }) => (value as [string, unknown])[0]).join(' + '),
    ...Object.fromEntries(
      choice.flatMap(({ path, value }) => {
        const [, part] = value as [string, unknown];
        return part === null ? [] : [[path, part]];
      }),
    ),
  }));
}

interface Choice {
  readonly path: string;
  readonly value: unknown;
  readonly index: number;
}

function combinations(axes: readonly (readonly [string, readonly unknown[]])[]): Choice[][] {
  return axes.reduce<Choice[][]>(
    (sofar, [path, values]) =>
      sofar.flatMap((left) => values.map((value, index) => [...left, { path, value, index }])),
    [[]],
  );
}

/** Why the value cannot be set there; undefined when it was. */
function setAt(
  arm: Record<string, unknown>,
  path: readonly string[],
  value: unknown,
): string | undefined {
  let at = arm;
  for (const [depth, key] of path.entries()) {
    const known = knownKeys(armSchema, path.slice(0, depth));
    if (!known.includes(key) || key === 'name' || key === 'sweep') {
      const near = nearestName(key, known);
      return `an arm has no ${path.join('.')}${near === undefined ? '' : `; did you mean "${near}"?`}`;
    }
    if (depth === path.length - 1) {
      at[key] = value;
      return undefined;
    }
    const next = at[key];
    if (next !== undefined && (typeof next !== 'object' || next === null))
      return `${key} is no object`;
    at[key] = next ?? {};
    at = at[key] as Record<string, unknown>;
  }
  return 'a sweep needs a path such as steer.safetyAmplification.strength';
}

function label(value: unknown): string {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.replaceAll(/[^A-Za-z0-9_.+-]+/g, '-');
}

function distinct(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const seen = new Set<string>();
  return problems.filter((one) => {
    const key = JSON.stringify(one);
    return !seen.has(key) && seen.add(key);
  });
}
