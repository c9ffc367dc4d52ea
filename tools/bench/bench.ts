// Times every backend and PyTorch in turns, in one run, and prints ratios: `pnpm bench [--only a,b] [--rounds n]`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CONFIGS, type ShapeName, weightBytes } from './model-shapes.ts';
import type { Command } from './protocol.ts';
import { Subject } from './subject.ts';
import { type Measurement, table } from './table.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'ort,tfjs-node,wasm,torch-float32,torch-bfloat16' },
    rounds: { type: 'string', default: '7' },
    /** Groups of measurements: matmul, decode, cache (run with cache), prefill, train, overhead, memory. */
    groups: { type: 'string', default: 'matmul,overhead,decode,prefill,train,memory' },
    shapes: { type: 'string', default: 'llama,gpt2' },
    /** Measure at real-time priority (root, Linux): for a machine that others use too. */
    realtime: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});

const here = dirname(fileURLToPath(import.meta.url));
const python = process.env['SAFEINFER_PARITY_VENV'];
const groups = new Set(options.groups.split(','));
const rounds = Number(options.rounds);

/** After a subject's name: the same with the C library asking for pages of 2 MB (Linux). */
const HUGE_PAGES = '+hugepages';

function start(subject: string): Promise<Subject | undefined> {
  const realtime = options.realtime;
  const name = subject.replace(HUGE_PAGES, '');
  const env: Record<string, string> =
    name === subject ? {} : { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };
  if (name === 'transformer-lens') {
    const lens = process.env['SAFEINFER_LENS_VENV'];
    if (lens === undefined) {
      console.log(`skipped ${name}: SAFEINFER_LENS_VENV names no Python with TransformerLens`);
      return Promise.resolve(undefined);
    }
    const tokenizer = join(here, '..', '..', 'packages', 'pocket', 'model');
    const args = [join(here, 'lens_worker.py'), tokenizer];
    return Subject.start({ command: join(lens, 'bin', 'python'), args, realtime, env });
  }
  if (name.startsWith('torch-')) {
    if (python === undefined) {
      console.log(`skipped ${name}: SAFEINFER_PARITY_VENV names no Python with PyTorch`);
      return Promise.resolve(undefined);
    }
    const args = [join(here, 'torch_worker.py'), name.slice('torch-'.length)];
    return Subject.start({ command: join(python, 'bin', 'python'), args, realtime, env });
  }
  const flags = ['--expose-gc', '--import', 'tsx', '--conditions=@safeinfer/source'];
  const args = [...flags, join(here, 'node-worker.ts'), ...name.split(':')];
  return Subject.start({ command: process.execPath, args, realtime, env });
}

/** One measurement on every subject, `rounds` times in turns; the order rotates. */
async function measure(
  subjects: ReadonlyMap<string, Subject>,
  label: string,
  command: Command,
): Promise<Measurement> {
  const values = new Map<string, number[]>();
  const errors = new Map<string, string>();
  const names = [...subjects.keys()];
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + Math.max(round, 0)) % names.length]!;
      if (errors.has(name)) continue;
      const { value, error } = await subjects.get(name)!.ask(command, true);
      if (error !== undefined) errors.set(name, error);
      // Round -1 warms caches, sessions and thread pools.
      else if (round >= 0) values.set(name, [...(values.get(name) ?? []), value]);
    }
  }
  return { label, values, errors };
}

const subjects = new Map<string, Subject>();
for (const name of options.only.split(',')) {
  const subject = await start(name);
  if (subject !== undefined) subjects.set(name, subject);
}

const results: Measurement[] = [];
async function add(label: string, command: Command): Promise<void> {
  const measurement = await measure(subjects, label, command);
  results.push(measurement);
  console.log(
    table([measurement], { header: results.length === 1, subjects: [...subjects.keys()] }),
  );
}

if (groups.has('overhead')) await add('tf.add of 8 values, ms', { op: 'overhead' });
if (groups.has('matmul')) {
  for (const rows of [1, 2, 8, 64, 256, 1024]) {
    await add(`matmul ${rows} x 768 x 3072, ms`, { op: 'matmul', rows, inner: 768, columns: 3072 });
  }
  for (const rows of [1, 8]) {
    await add(`matmul ${rows} x 768 x 32000, ms`, {
      op: 'matmul',
      rows,
      inner: 768,
      columns: 32_000,
    });
  }
}
for (const shape of options.shapes.split(',') as ShapeName[]) {
  if (!['decode', 'cache', 'prefill', 'train', 'memory'].some((group) => groups.has(group))) break;
  for (const subject of subjects.values()) await subject.ask({ op: 'model', shape }, false);
  if (groups.has('decode')) {
    for (const rows of [1, 2, 8]) {
      await add(`${shape}: decode, ${rows} rows, ms a step`, {
        op: 'decode',
        rows,
        tokens: 64,
        steps: 12,
      });
    }
  }
  if (groups.has('prefill')) {
    await add(`${shape}: prefill of 128 tokens, ms`, { op: 'prefill', rows: 1, tokens: 128 });
    await add(`${shape}: prefill of 4 x 128 tokens, ms`, { op: 'prefill', rows: 4, tokens: 128 });
  }
  if (groups.has('cache')) {
    for (const points of ['residuals', 'all'] as const) {
      await add(`${shape}: 2 x 64 tokens with ${points} cached, ms`, {
        op: 'cache',
        rows: 2,
        tokens: 64,
        points,
      });
    }
  }
  if (groups.has('memory')) {
    const bytes = weightBytes(CONFIGS[shape]);
    console.log(`${shape}: weights ${(bytes / 1e6).toFixed(0)} MB`);
    await add(`${shape}: resident bytes of the process`, { op: 'memory' });
  }
  if (groups.has('train')) {
    await add(`${shape}: forward and backward of 2 x 64 tokens, ms`, {
      op: 'train',
      rows: 2,
      tokens: 64,
    });
  }
}

const hellos = [...subjects].map(([name, subject]) => ({ name, ...subject.hello }));
for (const subject of subjects.values()) subject.stop();
const whole = table(results, { header: true, subjects: [...subjects.keys()] });
console.log(`\n${whole}`);
if (options.out !== undefined) {
  mkdirSync(dirname(options.out), { recursive: true });
  const data = results.map(({ label, values, errors }) => ({
    label,
    values: Object.fromEntries(values),
    errors: Object.fromEntries(errors),
  }));
  writeFileSync(
    `${options.out}.json`,
    `${JSON.stringify({ subjects: hellos, rounds, results: data }, null, 2)}\n`,
  );
  writeFileSync(`${options.out}.md`, `${whole}\n`);
}
