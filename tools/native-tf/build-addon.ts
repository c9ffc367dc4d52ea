// Builds tfjs-node's addon against the library inside the tensorflow-cpu Python wheel; skips with a reason.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The only wheel this was tried with: the addon uses its C API, the file names below are its own. */
const WHEEL = 'tensorflow-cpu==2.21.0';
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
/** A compiler run of about 7 s; pip downloads 280 MB. Beyond these something hangs. */
const COMPILE_LIMIT_MS = 5 * 60_000;
const DOWNLOAD_LIMIT_MS = 20 * 60_000;

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const native = join(root, '.native');
const tensorflow = join(native, 'site', 'tensorflow');

/** Ends the process: 0, unless `--require` says that a skip is a failure. */
function skip(reason: string): never {
  console.log(`native-tf: skipped: ${reason}`);
  process.exit(process.argv.includes('--require') ? 1 : 0);
}

function run(command: string, args: string[], limit: number): string | undefined {
  const result = spawnSync(command, args, { encoding: 'utf8', timeout: limit });
  if (result.error === undefined && result.status === 0) return undefined;
  const output = `${result.stderr ?? ''}${result.error?.message ?? ''}`.trim().split('\n');
  return output.slice(-3).join(' | ');
}

/** Python of at least 3.10 with pip, which the wheel needs; `SAFEINFER_PYTHON` names another. */
function findPython(): string {
  const names = [process.env['SAFEINFER_PYTHON'], 'python3.11', 'python3', 'python'];
  const found = names.find(
    (name) => name && run(name, ['-m', 'pip', '--version'], 60_000) === undefined,
  );
  return found ?? skip('no python3 with pip on PATH');
}

function fetchLibrary(): void {
  if (LIBRARIES.every((name) => existsSync(join(tensorflow, name)))) return;
  const python = findPython();
  mkdirSync(native, { recursive: true });
  console.log(`native-tf: downloading ${WHEEL} with ${python} (280 MB, once)`);
  const target = ['--no-deps', '--no-compile', '--target', join(native, 'site')];
  const failure = run(
    python,
    ['-m', 'pip', 'install', '--disable-pip-version-check', ...target, WHEEL],
    DOWNLOAD_LIMIT_MS,
  );
  if (failure !== undefined) skip(`pip could not install ${WHEEL}: ${failure}`);
  pruneWheel();
}

/** Keeps the two libraries and the headers: 0.9 of 1.3 GB. */
function pruneWheel(): void {
  const keep = new Set([...LIBRARIES, 'include']);
  for (const name of readdirSync(tensorflow)) {
    if (!keep.has(name)) rmSync(join(tensorflow, name), { recursive: true });
  }
}

function compile(packageDir: string, headers: string, addon: string): void {
  mkdirSync(dirname(addon), { recursive: true });
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) =>
    join(packageDir, 'binding', name),
  );
  const failure = run(
    process.env['CXX'] ?? 'g++',
    [
      ...['-O3', '-std=gnu++17', '-fPIC', '-shared'],
      ...['-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION'],
      ...[`-I${headers}`, `-I${join(tensorflow, 'include')}`, ...sources],
      ...[`-L${tensorflow}`, ...LIBRARIES.map((name) => `-l:${name}`), `-Wl,-rpath,${tensorflow}`],
      ...['-o', addon],
    ],
    COMPILE_LIMIT_MS,
  );
  if (failure !== undefined) skip(`the compiler failed: ${failure}`);
}

function main(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    skip(`the wheel's library is for linux-x64, this is ${process.platform}-${process.arch}`);
  }
  if (run(process.env['CXX'] ?? 'g++', ['--version'], 60_000) !== undefined) skip('no g++ on PATH');
  const require = createRequire(import.meta.url);
  const packageDir = resolve(dirname(require.resolve('@tensorflow/tfjs-node')), '..');
  const headers = join(dirname(require.resolve('node-api-headers')), 'include');
  const addon = join(packageDir, 'lib', 'napi-v8', 'tfjs_binding.node');
  fetchLibrary();
  const library = join(tensorflow, LIBRARIES[0]!);
  const fresh = existsSync(addon) && statSync(addon).mtimeMs >= statSync(library).ctimeMs;
  if (!fresh || process.argv.includes('--force')) compile(packageDir, headers, addon);
  const probe =
    "process.stdout.write(require('@tensorflow/tfjs-node').backend().binding.TF_Version)";
  const checked = spawnSync(process.execPath, ['-e', probe], {
    cwd: dirname(fileURLToPath(import.meta.url)),
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' },
  });
  if (checked.status !== 0) skip(`the addon does not load: ${checked.stderr.trim()}`);
  console.log(`native-tf: ready, TensorFlow ${checked.stdout}, ${addon}`);
}

main();
