// The two commands of the README on a machine that has only Node and npm: fetches the pinned pnpm through npx,
// installs, then runs each step in order and stops at the first that fails. Plain JavaScript: nothing is installed yet.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Runs a command in the repository root and ends this process with its exit code when it fails. */
function run(title, command, args) {
  const started = Date.now();
  process.stderr.write(`\n> ${title}\n`);
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
    shell: process.platform === 'win32',
  });
  if (error) {
    process.stderr.write(`${title}: cannot start ${command}: ${error.message}\n`);
    process.exit(2);
  }
  if (status !== 0) process.exit(status ?? 1);
  process.stderr.write(`< ${title}: ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

const pnpm = (title, ...args) => run(title, 'npx', ['--yes', packageManager, ...args]);

const [task = 'setup', ...rest] = process.argv.slice(2);
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `Node ${process.versions.node} is too old: SafeInfer needs Node 20.19 or later.\n`,
  );
  process.exit(2);
}

pnpm('install', 'install', '--frozen-lockfile', '--prefer-offline');
if (task === 'setup' || task === 'demo' || task === 'test') {
  pnpm('build', 'exec', 'turbo', 'run', 'build', '--output-logs=errors-only');
}
if (task === 'demo') {
  run('demo', process.execPath, ['apps/lab/dist/bin.js', 'run', 'experiments/demo.yaml', ...rest]);
}
if (task === 'test') {
  pnpm('type-check', 'exec', 'tsc', '-p', 'tsconfig.json');
  pnpm('lint', 'exec', 'biome', 'check', '--diagnostic-level=warn', '.');
  pnpm('unused code', 'exec', 'knip', '--no-progress');
  pnpm('package boundaries', 'exec', 'tsx', 'tools/check-boundaries/check-boundaries.ts');
  // The commands are tested as they were built a moment ago: that is what people install, and it starts faster.
  process.env.SAFEINFER_BUILT = '1';
  pnpm('tests', 'exec', 'vitest', 'run', ...rest);
}
