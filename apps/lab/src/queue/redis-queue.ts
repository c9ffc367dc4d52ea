// The queue of several machines: units go to Redis, workers pull them, answers come back into this process's store.
import { setTimeout as sleep } from 'node:timers/promises';
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import { contentHash, type GenerateResult } from '@safeinfer/harmeval';
import { type Job, Queue, QueueEvents } from 'bullmq';
import type { Unit } from '../plan/unit.ts';
import type { Store } from '../store/open-store.ts';
import {
  connectRedis,
  entryKey,
  type RedisRun,
  runKey,
  UNIT_QUEUE,
  type UnitAnswers,
  type UnitJob,
} from './redis-names.ts';
import { isStored, keep } from './store-queue.ts';
import type { OfferedUnits, WorkQueue } from './work-queue.ts';

/** Every open unit is looked up this often: events are lost when the server restarts (milliseconds). */
const RECONCILE_MS = 1000;
/** Look-ups at once. */
const CHUNK = 64;

export async function createRedisQueue(options: {
  readonly url: string;
  readonly store: Store;
  readonly run: RedisRun;
  readonly signal: AbortSignal;
}): Promise<WorkQueue> {
  const { url, store, signal } = options;
  const redis = await connectRedis(url);
  const connection = { url, maxRetriesPerRequest: null };
  const queue = new Queue<UnitJob, UnitAnswers>(UNIT_QUEUE, { connection });
  const events = new QueueEvents(UNIT_QUEUE, { connection });
  // A lost connection is made again; what was missed meanwhile is found by looking.
  queue.on('error', () => undefined);
  events.on('error', () => undefined);
  const run = contentHash(options.run).slice(0, 16);
  await redis.set(runKey(run), JSON.stringify(options.run));
  const open = new Map<string, { readonly unit: Unit; readonly offered: OfferedUnits }>();
  const ready = new Set<string>();
  events.on('completed', ({ jobId }) => ready.add(jobId));
  events.on('failed', ({ jobId }) => ready.add(jobId));

  const add = async (ids: readonly string[]): Promise<void> => {
    await queue.addBulk(
      ids.map((id) => {
        const { unit, offered } = open.get(id)!;
        // The same unit of the same run is the same job: a coordinator that starts again finds it.
        return {
          name: 'unit',
          data: { run, unit, needs: offered.needs },
          opts: { jobId: id, removeOnComplete: false, removeOnFail: false },
        };
      }),
    );
  };

  const collect = async (id: string, job: Job<UnitJob, UnitAnswers>): Promise<void> => {
    const entry = open.get(id);
    if (!entry) return;
    const { answers, failures } = job.returnvalue;
    const made = {
      answers: new Map(answers as readonly (readonly [string, GenerateResult])[]),
      failures: new Map(failures),
      error: undefined,
      fatal: undefined,
    };
    keep(made, store);
    open.delete(id);
    // Only now: a coordinator that dies before this line finds the answers in Redis again.
    await job.remove();
    entry.offered.onDone(entry.unit, made);
  };

  const look = async (id: string): Promise<void> => {
    if (!open.has(id)) return;
    // The state before the job: one that was read first may have ended since, without its answers.
    const state = await queue.getJobState(id);
    if (state !== 'completed' && state !== 'failed' && state !== 'unknown') return;
    const job = await queue.getJob(id);
    // A server that lost its last moments lost the unit with them.
    if (!job) return add([id]);
    if (state === 'completed') await collect(id, job);
    if (state !== 'failed') return;
    await job.remove();
    throw new SafeInferError(`a worker could not do its work: ${job.failedReason}`, {
      code: 'IO',
      hint: 'finished answers are kept; start workers of the same version, with the same files',
    });
  };

  return {
    async offer(offered) {
      for (const key of offered.needs)
        await redis.set(entryKey(key), JSON.stringify(store.get(key)));
      const fresh: string[] = [];
      for (const unit of offered.units) {
        if (isStored(unit, store)) offered.onDone(unit);
        else {
          const id = `${run}-${unit.id}`;
          open.set(id, { unit, offered });
          fresh.push(id);
        }
      }
      if (fresh.length > 0) await add(fresh);
    },
    async finish() {
      let reconciled = Date.now();
      while (open.size > 0) {
        throwIfAborted(signal);
        const now = [...ready].filter((id) => open.has(id));
        ready.clear();
        for (const id of now) await look(id);
        if (Date.now() - reconciled >= RECONCILE_MS) {
          const ids = [...open.keys()];
          for (let from = 0; from < ids.length; from += CHUNK)
            await Promise.all(ids.slice(from, from + CHUNK).map(look));
          reconciled = Date.now();
        }
        if (ready.size === 0 && open.size > 0)
          await sleep(20, undefined, { signal }).catch(() => undefined);
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled([events.close(), queue.close()]);
      redis.disconnect();
    },
  };
}
