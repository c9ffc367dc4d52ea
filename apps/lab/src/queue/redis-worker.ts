// A worker of other machines' runs: pulls units from Redis, makes them on its own model, sends the answers back.
import { SafeInferError } from '@safeinfer/backend';
import { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { type BuiltArm, buildArm } from '../arms/build-arm.ts';
import { createTermSources, type TermSources } from '../arms/term-sources.ts';
import { version } from '../cli/version.ts';
import { type AppliedEdit, applyEdit } from '../edits/apply-edit.ts';
import { chooseBackend } from '../model/choose-backend.ts';
import { type OpenModel, openModel } from '../model/open-model.ts';
import { type ArmPlan, planArms } from '../plan/plan-arms.ts';
import { runUnit } from '../plan/run-unit.ts';
import { cellGenerate } from '../run/generate-answers.ts';
import { openStore, type Store } from '../store/open-store.ts';
import {
  connectRedis,
  entryKey,
  type RedisRun,
  runKey,
  UNIT_QUEUE,
  type UnitAnswers,
  type UnitJob,
} from './redis-names.ts';

/** A worker that does not renew its lock for so long is taken for dead, and its unit goes to another (milliseconds). */
const LOCK_MS = 30_000;
/** A unit may lose its worker this often before it is given up. */
const MAX_STALLED = 1000;

/** Works until the signal fires; the unit in hand is finished first. */
export async function runRedisWorker(options: {
  readonly url: string;
  readonly lockMs?: number | undefined;
  readonly signal: AbortSignal;
  readonly onUnit: (done: number) => void;
}): Promise<void> {
  const { url, lockMs = LOCK_MS, signal, onUnit } = options;
  const redis = await connectRedis(url);
  await using bench = createBench(redis);
  let done = 0;
  const worker = new Worker<UnitJob, UnitAnswers>(
    UNIT_QUEUE,
    async ({ data }) => {
      const answers = await bench.make(data);
      done += 1;
      onUnit(done);
      return answers;
    },
    {
      connection: { url, maxRetriesPerRequest: null },
      concurrency: 1,
      lockDuration: lockMs,
      stalledInterval: lockMs / 2,
      maxStalledCount: MAX_STALLED,
    },
  );
  worker.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await worker.close();
  redis.disconnect();
}

interface Bench extends AsyncDisposable {
  make(job: UnitJob): Promise<UnitAnswers>;
}

/** What is set up stays until a unit needs another edit, arm or run: jobs come in that order. */
function createBench(redis: Redis): Bench {
  const store = openStore(':memory:');
  let run: OpenRun | undefined;
  return {
    async make({ run: id, unit, needs }) {
      if (run?.id !== id) {
        run?.dispose();
        run = undefined;
        run = await openRun({ id, redis, store });
      }
      for (const key of needs) {
        if (store.has(key)) continue;
        const json = await redis.get(entryKey(key));
        if (json !== null) store.set(new Map([[key, JSON.parse(json) as unknown]]));
      }
      return run.make(unit);
    },
    async [Symbol.asyncDispose]() {
      run?.dispose();
      store.close();
    },
  };
}

interface OpenRun {
  readonly id: string;
  make(unit: UnitJob['unit']): Promise<UnitAnswers>;
  dispose(): void;
}

async function openRun(options: {
  readonly id: string;
  readonly redis: Redis;
  readonly store: Store;
}): Promise<OpenRun> {
  const { id, redis, store } = options;
  const json = await redis.get(runKey(id));
  if (json === null) throw refusal('Redis has no such run any more');
  const record = JSON.parse(json) as RedisRun;
  if (record.version !== version)
    throw refusal(`the run is of safeinfer ${record.version}, the worker is ${version}`);
  const backend = await chooseBackend({ backend: record.backend });
  // Never aborted: the unit in hand is finished before a worker stops.
  const { signal } = new AbortController();
  const opened = await openModel({ name: record.experiment.model, signal });
  const sources = createTermSources({ experimentFile: record.experimentFile, signal });
  const dispose = (): void => {
    sources[Symbol.dispose]();
    opened[Symbol.dispose]();
  };
  try {
    if (opened.sha256 !== record.modelSha256)
      throw refusal(`its model ${opened.name} has other weights than the run's`);
    const plan = await planArms({
      ...record,
      modelSha256: opened.sha256,
      backend: backend.name,
      sources,
    });
    const made = maker({ plan, opened, sources, store, signal });
    return {
      id,
      make: made.make,
      dispose: () => {
        made.dispose();
        dispose();
      },
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

function maker(options: {
  readonly plan: ArmPlan;
  readonly opened: OpenModel;
  readonly sources: TermSources;
  readonly store: Store;
  readonly signal: AbortSignal;
}): Pick<OpenRun, 'make' | 'dispose'> {
  const { plan, opened, sources, store, signal } = options;
  const { experiment, experimentFile } = plan;
  const quiet = { store, signal, onProgress: () => undefined };
  let edit: { readonly index: number; readonly applied: AppliedEdit } | undefined;
  let arm: { readonly index: number; readonly built: BuiltArm } | undefined;
  const dispose = (): void => {
    edit?.applied[Symbol.dispose]();
    edit = undefined;
    arm = undefined;
  };
  return {
    dispose,
    async make(unit) {
      const { identities } = plan.contextOf(unit.edit, unit.arm, 0);
      if (identities[0] !== unit.context.identities[0])
        throw refusal('files of the experiment differ between this machine and the coordinator');
      if (edit?.index !== unit.edit) {
        dispose();
        const applied = await applyEdit({
          edit: plan.edits[unit.edit]!,
          model: opened.model,
          identity: plan.baseIdentity,
          statistics: notHere,
          ...quiet,
        });
        edit = { index: unit.edit, applied };
      }
      const planned = plan.arms[unit.arm]!;
      if (arm?.index !== unit.arm) {
        const built = await buildArm({
          ...planned,
          model: opened.model,
          sources,
          modelIdentity: plan.modelIdentity(unit.edit),
          experimentFile,
          seed: experiment.seed,
          ...quiet,
        });
        arm = { index: unit.arm, built };
      }
      const { answers, failures } = await runUnit({
        unit,
        generate: cellGenerate({ plan, built: arm.built, cell: unit, opened }),
        systemPrompt: planned.arm.systemPrompt,
        store: undefined,
        signal,
      });
      return { answers: [...answers], failures: [...failures] };
    },
  };
}

/** Edits are computed by the process that runs, and sent with the units that need them. */
async function notHere(): Promise<never> {
  throw refusal('an edit did not come with its unit');
}

function refusal(why: string): SafeInferError {
  return new SafeInferError(`this worker cannot take part: ${why}`, {
    code: 'BAD_ARGUMENT',
    hint: 'workers need the safeinfer version, the model and the files of the coordinator',
  });
}
