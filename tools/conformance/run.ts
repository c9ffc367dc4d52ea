// Runs tfjs-core's test suite against cpu (stock) and other backends, and writes the pages with what fails.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Outcome, type Page, report, usedOpsSection } from './report.ts';
import { usedOps } from './used-ops.ts';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const out = join(here, 'dist');
const repository = resolve(here, '..', '..');

const PAGES: readonly Page[] = [
  {
    path: 'packages/backend-ort/CONFORMANCE.md',
    script: 'conformance',
    backends: ['cpu', 'ort', 'ort/native', 'wasm'],
    notes: [
      '`ort/native` is `ort` with every',
      'crossover at 0, so that the small operands of the suite reach the native kernels too.',
    ],
  },
  {
    path: 'packages/backend/CONFORMANCE-WEBGPU.md',
    script: 'conformance cpu,webgpu',
    backends: ['cpu', 'webgpu'],
    notes: [
      'WebGPU is',
      'Dawn through the package `webgpu`, nothing left to cpu by `WEBGPU_CPU_FORWARD`; specs that read synchronously',
      'do not exist for it.',
    ],
  },
];

/** The suite imports core by relative paths, so core, backends and suite must be one bundle with one engine. */
async function bundle(): Promise<void> {
  await build({
    entryPoints: [join(here, 'specs.ts'), join(here, 'run-specs.ts')],
    outdir: out,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // tfjs-core declares its modules free of side effects, which specs are nothing but.
    ignoreAnnotations: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    conditions: ['@safeinfer/source'],
    external: ['onnxruntime-node', 'jasmine-core', 'vitest', 'webgpu'],
    logLevel: 'error',
    banner: {
      js:
        "import { createRequire as makeRequire } from 'node:module';" +
        "import { dirname as directoryOf } from 'node:path';" +
        "import { fileURLToPath as pathOf } from 'node:url';" +
        'const require = makeRequire(import.meta.url);' +
        'const __filename = pathOf(import.meta.url);' +
        'const __dirname = directoryOf(__filename);',
    },
  });
}

/** The suite names each group after the backend and its flags: take them out, so that runs compare. */
const GROUP = / (?:cpu|ort|wasm|webgpu) \{.*?\}/;

/** Status of every spec of one backend. */
function run(label: string): Promise<Map<string, Outcome>> {
  const [backend = label, variant] = label.split('/');
  const wasm = dirname(
    require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm'),
  );
  const child = spawn(process.execPath, [join(out, 'run-specs.mjs'), join(out, 'specs.mjs')], {
    cwd: here,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      ...process.env,
      CONFORMANCE_BACKEND: backend,
      CONFORMANCE_STOCK: backend === 'cpu' ? '1' : '0',
      SAFEINFER_ORT_ALWAYS_NATIVE: variant === 'native' ? '1' : '0',
      CONFORMANCE_WASM: `${wasm}/`,
    },
  });
  const results = new Map<string, Outcome>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{"adapter"')) adapter = (JSON.parse(line) as { adapter: string }).adapter;
    if (!line.startsWith('{"fullName"')) return;
    const { fullName, status, message } = JSON.parse(line) as Record<string, string>;
    const name = (fullName ?? '').replace(GROUP, '');
    if (status === 'passed' || status === 'failed') {
      results.set(name, { passed: status === 'passed', message: message ?? '' });
    }
  });
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => {
      if (code === 0) done(results);
      else fail(new Error(`the specs of ${backend} ended with exit code ${code}`));
    });
  });
}

/** The GPU that the last run of `webgpu` computed on. */
let adapter: string | undefined;

mkdirSync(out, { recursive: true });
await bundle();
const only = process.argv[2]?.split(',') ?? PAGES[0]!.backends;
const runs = new Map<string, Map<string, Outcome>>();
for (const backend of only) runs.set(backend, await run(backend));
const page = PAGES.find(({ backends }) => backends.join() === only.join());
if (page !== undefined) {
  const notes = adapter === undefined ? page.notes : [...page.notes, `The adapter was ${adapter}.`];
  const webgpu = runs.get('webgpu');
  const used = webgpu === undefined ? '' : usedOpsSection(usedOps(repository), webgpu);
  writeFileSync(join(repository, page.path), report({ ...page, notes }, runs) + used);
}
for (const [backend, results] of runs) {
  const failures = [...results].filter(([, outcome]) => !outcome.passed);
  console.log(`${backend}: ${results.size - failures.length} of ${results.size} pass`);
  if (process.argv.includes('--verbose')) {
    for (const [name, { message }] of failures) console.log(`  ${name}\n      ${message}`);
  }
}
