// What the coordinator of a run and the workers of other machines agree on: names, and the form of what they exchange.
import { SafeInferError } from '@safeinfer/backend';
import { Redis } from 'ioredis';
import type { Experiment } from '../config/experiment-schema.ts';
import type { Unit } from '../plan/unit.ts';

export const UNIT_QUEUE = 'safeinfer-units';
export const runKey = (run: string): string => `safeinfer:run:${run}`;
export const entryKey = (key: string): string => `safeinfer:entry:${key}`;

/** What a worker must know of a run; prompts travel with the units. */
export interface RedisRun {
  readonly experiment: Experiment;
  /** Workers read demonstrations, vectors and second models beside it: the same path on every machine. */
  readonly experimentFile: string;
  readonly modelSha256: string;
  readonly backend: string;
  readonly version: string;
}

export interface UnitJob {
  readonly run: string;
  readonly unit: Unit;
  readonly needs: readonly string[];
}

/** A unit's answers on their way back: maps as lists. */
export interface UnitAnswers {
  readonly answers: readonly (readonly [string, unknown])[];
  readonly failures: readonly (readonly [string, { failureClass: string; message: string }])[];
}

/** Longest wait for the first answer of a server (milliseconds). */
const CONNECT_MS = 5000;

/** @throws IO when no Redis answers there; afterwards a connection that is lost is made again for ever. */
export async function connectRedis(url: string): Promise<Redis> {
  const redis = new Redis(url, {
    lazyConnect: true,
    // BullMQ's blocking calls wait as long as it takes.
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_MS,
    retryStrategy: (times) => Math.min(times * 50, 1000),
  });
  let problem = '';
  redis.on('error', (error: Error) => {
    problem = error.message;
  });
  const first = redis.connect().then(() => redis.ping());
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(problem || 'no answer')), CONNECT_MS).unref();
  });
  try {
    await Promise.race([first, late]);
    return redis;
  } catch (cause) {
    first.catch(() => undefined);
    redis.disconnect();
    throw new SafeInferError(`no Redis at ${url}: ${problem || (cause as Error).message}`, {
      code: 'IO',
      hint: 'start redis-server, or check the address (redis://host:port)',
      cause,
    });
  }
}
