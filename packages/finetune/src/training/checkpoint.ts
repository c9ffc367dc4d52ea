// A training checkpoint: parameters, both moments, step and history in one safetensors file.
import { createHash } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTensor, SafeInferError } from '@safeinfer/backend';
import {
  openSafetensors,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import type { AdamState } from '../optimiser/adamw.ts';
import type { Slab } from '../optimiser/slabs.ts';
import { type Fingerprint, requireSameRun } from './fingerprint.ts';
import { wrappingIo } from './io-error.ts';

/** Position and record of a run, besides its tensors. */
export interface RunState {
  /** Optimiser steps done. */
  step: number;
  /** Tokens of examples seen. */
  tokens: number;
  /** Loss and gradient norm (before clipping) of every step. */
  readonly loss: number[];
  readonly gradientNorm: number[];
  readonly evaluations: { readonly step: number; readonly loss: number }[];
}

const FILE = 'checkpoint.safetensors';
const FORMAT = 1;
const PARTS = ['value', 'first', 'second', 'average'] as const;

export function checkpointPath(directory: string): string {
  return join(directory, FILE);
}

/**
 * Replaces the checkpoint of the directory. The file appears complete or not at all: when the disk is full the
 * earlier one stays.
 *
 * @throws SafeInferError `IO`
 */
export async function writeCheckpoint(options: {
  readonly directory: string;
  readonly states: readonly AdamState[];
  readonly run: RunState;
  readonly fingerprint: Fingerprint;
}): Promise<void> {
  const { directory, states, run, fingerprint } = options;
  const tensors: TensorToWrite[] = states.flatMap((state, i) =>
    PARTS.flatMap((part) => {
      const tensor = state[part];
      if (tensor === undefined) return [];
      const data = () => readTensor(tensor);
      return [{ name: `${part}/${i}`, dtype: 'F32' as const, shape: [tensor.size], data }];
    }),
  );
  for (const [name, values] of [
    ['loss', run.loss],
    ['gradientNorm', run.gradientNorm],
  ] as const) {
    const data = Float64Array.from(values);
    tensors.push({ name: `history/${name}`, dtype: 'F64', shape: [data.length], data });
  }
  const { step, tokens, evaluations } = run;
  const record = JSON.stringify({ format: FORMAT, step, tokens, evaluations, fingerprint });
  await wrappingIo(`the checkpoint in ${directory}`, async () => {
    await mkdir(directory, { recursive: true });
    await writeSafetensors(checkpointPath(directory), tensors, { metadata: { training: record } });
  });
}

/**
 * The checkpoint of a directory, or undefined when there is none; its tensors are the caller's. The fingerprint
 * 'any' also takes one of another run on parameters of these sizes.
 */
export async function readCheckpoint(options: {
  readonly directory: string;
  readonly slabs: readonly Slab[];
  readonly fingerprint: Fingerprint | 'any';
}): Promise<{ readonly states: AdamState[]; readonly run: RunState } | undefined> {
  const { directory, slabs, fingerprint } = options;
  const path = checkpointPath(directory);
  if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
  await using file = await openSafetensors(path);
  const record = recordOf(file, path);
  if (fingerprint === 'any') requireSlabs(file, slabs, path);
  else requireSameRun(record.fingerprint, fingerprint, path);
  const loss = await file.readFloat64('history/loss');
  const gradientNorm = await file.readFloat64('history/gradientNorm');
  const made: tf.Tensor[] = [];
  try {
    const states: AdamState[] = [];
    for (const [i, { sizes }] of slabs.entries()) {
      const size = sizes.reduce((sum, own) => sum + own, 0);
      const read = async (part: (typeof PARTS)[number]): Promise<tf.Tensor1D> => {
        const { data } = await file.read(`${part}/${i}`);
        if (data.length !== size) throw damaged(path, `${part}/${i} has ${data.length} values`);
        const tensor = tf.tensor1d(data as Float32Array, 'float32');
        made.push(tensor);
        return tensor;
      };
      states.push({
        value: await read('value'),
        first: await read('first'),
        second: await read('second'),
        ...(file.tensors.has(`average/${i}`) ? { average: await read('average') } : {}),
      });
    }
    const { step, tokens, evaluations } = record;
    return {
      states,
      run: {
        step,
        tokens,
        evaluations: [...evaluations],
        loss: [...loss],
        gradientNorm: [...gradientNorm],
      },
    };
  } catch (error) {
    tf.dispose(made);
    throw error;
  }
}

interface CheckpointRecord {
  readonly format: number;
  readonly step: number;
  readonly tokens: number;
  readonly evaluations: readonly { readonly step: number; readonly loss: number }[];
  readonly fingerprint: Fingerprint;
}

function recordOf(file: SafetensorsFile, path: string): CheckpointRecord {
  const text = file.metadata.get('training');
  let record: CheckpointRecord | undefined;
  try {
    record = text === undefined ? undefined : (JSON.parse(text) as CheckpointRecord);
  } catch {
    record = undefined;
  }
  if (record?.format === FORMAT && Number.isInteger(record.step)) return record;
  throw damaged(path, 'it carries no record of a training run');
}

function requireSlabs(file: SafetensorsFile, slabs: readonly Slab[], path: string): void {
  const sizes = slabs.map(({ sizes: own }) => own.reduce((sum, size) => sum + size, 0));
  const there = sizes.map((_, i) => file.tensors.get(`value/${i}`)?.shape[0]);
  if (sizes.every((size, i) => there[i] === size) && !file.tensors.has(`value/${sizes.length}`)) {
    return;
  }
  throw new SafeInferError(
    `the checkpoint ${path} holds vectors of ${there.join(', ')} parameters, this run trains ${sizes.join(', ')}`,
    { code: 'BAD_CONFIG', hint: 'a stage goes on from a stage that trained the same parameters' },
  );
}

/** A digest of the checkpoint of a directory. @throws SafeInferError `NOT_FOUND` */
export async function checkpointDigest(directory: string): Promise<string> {
  const path = checkpointPath(directory);
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes !== undefined) return createHash('sha256').update(bytes).digest('hex');
  throw new SafeInferError(`there is no checkpoint ${path} to continue from`, {
    code: 'NOT_FOUND',
    hint: 'run the earlier stage to its end first',
  });
}

function damaged(path: string, what: string): SafeInferError {
  return new SafeInferError(`${path} is not a checkpoint of this trainer: ${what}`, {
    code: 'BAD_FILE',
    hint: 'remove the file to start again, or restore it from a copy',
  });
}
