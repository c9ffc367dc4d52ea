// Executes every TypeScript example of every README and guide, on sources, so that documentation cannot rot.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, it } from 'vitest';
import { codeBlocks } from './code-blocks.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Document {
  readonly file: string;
  /** Package whose dependencies the examples resolve against; guides use the lab, which has them all. */
  readonly packageDirectory: string;
}

function documents(): Document[] {
  const packages = ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(root, group)).map((name) => join(root, group, name)),
  );
  const readmes = packages.map((directory) => ({
    file: join(directory, 'README.md'),
    packageDirectory: directory,
  }));
  const guides = existsSync(join(root, 'docs'))
    ? readdirSync(join(root, 'docs'))
        .filter((name) => name.endsWith('.md'))
        .map((name) => ({
          file: join(root, 'docs', name),
          packageDirectory: join(root, 'apps/lab'),
        }))
    : [];
  return [...readmes, ...guides].filter(({ file }) => existsSync(file));
}

// Inside the package, so that bare imports resolve as they do for its own sources; git-ignored.
const scratch = (directory: string): string => join(directory, '.docs-test');

for (const { file, packageDirectory } of documents()) {
  const blocks = codeBlocks(readFileSync(file, 'utf8'));
  if (blocks.length === 0) continue;
  describe(relative(root, file), () => {
    afterAll(() => rmSync(scratch(packageDirectory), { recursive: true, force: true }));
    for (const { line, code, notRun } of blocks) {
      it.runIf(notRun === undefined)(
        `example at line ${line}${notRun ? ` is not run: ${notRun}` : ''}`,
        async () => {
          const target = join(
            scratch(packageDirectory),
            `${file.replaceAll(/\W/g, '-')}-${line}.ts`,
          );
          mkdirSync(dirname(target), { recursive: true });
          writeFileSync(target, code);
          await import(/* @vite-ignore */ target);
        },
        180_000,
      );
    }
  });
}
