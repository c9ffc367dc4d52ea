// A mistake in an experiment file, with the place where it is and what to write instead.

export interface ConfigProblem {
  readonly path: string;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
}

/** Exit code 2. `message` lists every problem, one a line, as `file:line:column: path: what`. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    super(
      problems
        .map(({ path, message, line, column }) => {
          const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
          return `${place}: ${path ? `${path}: ` : ''}${message}`;
        })
        .join('\n'),
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
