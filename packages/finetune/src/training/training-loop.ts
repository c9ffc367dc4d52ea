// The steps of a training run, and the tensors that live across them.
import { nextTurn, SafeInferError, TensorScope, throwIfAborted } from '@safeinfer/backend';
import { discardTape, type KeyVisibility } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import type { BatchPlan } from '../data/batch-plan.ts';
import { dataDigest } from '../data/data-digest.ts';
import { nameOf, type TrainingExample } from '../data/example.ts';
import { type AdamState, type AdamW, adamWUpdate, clipFactor } from '../optimiser/adamw.ts';
import { type Schedule, scheduleFactor } from '../optimiser/schedule.ts';
import { flatten, type Slab, slabsOf, unflatten } from '../optimiser/slabs.ts';
import { mixSeeds } from '../random/shuffle.ts';
import {
  checkpointDigest,
  checkpointPath,
  type RunState,
  readCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import { boundLoss } from './evaluate-loss.ts';
import { type Fingerprint, weightsDigest } from './fingerprint.ts';
import type { Trainable } from './method.ts';
import { batchLoss, type MicroBatch, microBatch } from './micro-batch.ts';
import type { TrainOptions, TrainRecord } from './train-options.ts';

export interface LoopSetup
  extends Omit<TrainOptions, 'optimiser' | 'schedule' | 'batch' | 'steps'> {
  readonly optimiser: AdamW;
  readonly schedule: Schedule;
  readonly plan: BatchPlan;
  readonly steps: number;
  readonly trainable: Trainable;
}

/** Owns the parameters and their moments until disposed; checked options only. */
export class TrainingLoop implements Disposable {
  readonly #setup: LoopSetup;
  readonly #slabs: readonly Slab[];
  readonly #run: RunState = { step: 0, tokens: 0, loss: [], gradientNorm: [], evaluations: [] };
  #states: AdamState[] = [];
  #savedAt = -1;
  #fingerprint: Fingerprint = {};
  // Of this process, for rates.
  #milliseconds = 0;
  #steps = 0;
  #tokens = 0;

  constructor(setup: LoopSetup) {
    this.#setup = setup;
    this.#slabs = slabsOf(setup.trainable.parameters);
  }

  /** Runs to the last step, from a checkpoint when there is one. */
  async run(): Promise<TrainRecord> {
    const { steps, onProgress, signal } = this.#setup;
    const end = this.#end();
    const resumedAt = await this.#resume();
    if (resumedAt === null) this.#start();
    else onProgress?.({ kind: 'resumed', step: resumedAt, steps });
    try {
      for (;;) {
        throwIfAborted(signal);
        await this.#evaluateWhenDue();
        await this.#saveWhenDue();
        if (this.#run.step >= end) break;
        await this.#step();
        await nextTurn();
      }
    } catch (error) {
      const aborted = SafeInferError.isInstance(error) && error.code === 'ABORTED';
      if (aborted && this.#run.step > 0) await this.#save();
      throw error;
    }
    const { step, ...record } = this.#run;
    return { steps: step, ...record, resumedAt };
  }

  /** The parameters, or their mean when one is kept, one tensor each; the caller's. */
  takeValues(): tf.Tensor[] {
    const vectors = this.#states.map(({ value, average }) => average ?? value);
    return unflatten(this.#slabs, vectors, this.#setup.trainable.parameters);
  }

  #end(): number {
    const { steps, until } = this.#setup;
    return Math.min(steps, until ?? steps);
  }

  [Symbol.dispose](): void {
    for (const state of this.#states) disposeState(state);
    this.#states = [];
  }

  #start(): void {
    const { trainable, average } = this.#setup;
    this.#states = tf.tidy(() =>
      flatten(this.#slabs, trainable.start()).map((value) => ({
        value: tf.keep(value),
        first: tf.keep(tf.zerosLike(value)),
        second: tf.keep(tf.zerosLike(value)),
        ...(average === undefined ? {} : { average: tf.keep(tf.clone(value)) }),
      })),
    );
  }

  async #resume(): Promise<number | null> {
    const { checkpoint } = this.#setup;
    if (checkpoint === undefined) return null;
    this.#fingerprint = await this.#describe();
    const { directory, continueFrom } = checkpoint;
    const slabs = this.#slabs;
    const own =
      checkpoint.resume === false
        ? undefined
        : await readCheckpoint({ directory, slabs, fingerprint: this.#fingerprint });
    const saved =
      own === undefined && continueFrom !== undefined
        ? await readCheckpoint({ directory: continueFrom, slabs, fingerprint: 'any' })
        : own;
    if (saved === undefined) return null;
    this.#states = saved.states;
    Object.assign(this.#run, saved.run);
    if (own !== undefined) this.#savedAt = saved.run.step;
    else this.#matchAverage();
    return saved.run.step;
  }

  /** An earlier stage may have kept a mean that this one does not, or the reverse. */
  #matchAverage(): void {
    const wanted = this.#setup.average !== undefined;
    this.#states = this.#states.map(({ average, ...state }) => {
      if (!wanted) {
        average?.dispose();
        return state;
      }
      return { ...state, average: average ?? tf.clone(state.value) };
    });
  }

  async #describe(): Promise<Fingerprint> {
    const { model, data, trainable, optimiser, schedule, plan, steps, seed, visibility } =
      this.#setup;
    const { average, checkpoint } = this.#setup;
    const from = checkpoint?.continueFrom;
    return {
      model: JSON.stringify(model.config),
      weights: await weightsDigest(model),
      data: dataDigest(data),
      method: trainable.description,
      optimiser: JSON.stringify(optimiser),
      schedule: JSON.stringify(schedule),
      batch: plan.name,
      normalise: this.#setup.normalise ?? 'tokens',
      steps: String(steps),
      seed: String(seed),
      ...(visibility === undefined ? {} : { visibility: visibility.name }),
      ...(average === undefined ? {} : { average: String(average) }),
      ...(from === undefined ? {} : { 'the earlier stage': await checkpointDigest(from) }),
    };
  }

  // --- one step ---

  async #step(): Promise<void> {
    const { data, plan, steps, optimiser, schedule, onProgress } = this.#setup;
    const began = performance.now();
    const { step } = this.#run;
    const indices = plan.step(step);
    const batches = indices.map((part) =>
      microBatch(part.map((index) => data[index] as TrainingExample)),
    );
    const { loss, norm, gradients } = await this.#gradientOf(batches, indices);
    try {
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
        throw this.#nonFinite(Number.isFinite(loss) ? 'gradient norm' : 'loss', indices.flat());
      }
      const learningRate = optimiser.learningRate * scheduleFactor(schedule, step, steps);
      this.#update(gradients, { learningRate, norm });
      const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
      this.#run.step++;
      this.#run.tokens += tokens;
      this.#run.loss.push(loss);
      this.#run.gradientNorm.push(norm);
      this.#tokens += tokens;
      this.#milliseconds += performance.now() - began;
      this.#steps++;
      onProgress?.({
        kind: 'step',
        step: step + 1,
        steps,
        loss,
        learningRate,
        gradientNorm: norm,
        tokens: this.#run.tokens,
        tokensPerSecond: (1000 * this.#tokens) / this.#milliseconds,
        secondsLeft: ((steps - step - 1) * this.#milliseconds) / this.#steps / 1000,
      });
    } finally {
      tf.dispose(gradients);
    }
  }

  /** Loss of the step and its gradient, accumulated over the micro-batches. */
  async #gradientOf(
    batches: readonly MicroBatch[],
    indices: readonly (readonly number[])[],
  ): Promise<{ readonly loss: number; readonly norm: number; readonly gradients: tf.Tensor1D[] }> {
    const { trainable, normalise, signal, seed, visibility } = this.#setup;
    using scope = new TensorScope();
    const vectors = this.#states.map(({ value }) => value);
    const values = scope.own(unflatten(this.#slabs, vectors, trainable.parameters));
    const weight = batches.reduce((sum, batch) => sum + batch.weight, 0);
    let total: PassResult | undefined;
    for (const [i, batch] of batches.entries()) {
      throwIfAborted(signal);
      const factor = 1 / (normalise === 'batches' ? batch.weight * batches.length : weight);
      const dropoutSeed = mixSeeds(seed, 2, this.#run.step, i);
      const hidden = visibility?.of({
        step: this.#run.step,
        microBatch: i,
        indices: indices[i] as readonly number[],
      });
      const pass = scope.own(
        this.#pass({ batch, values, factor, dropoutSeed, visibility: hidden }),
      );
      if (total === undefined) {
        total = pass;
        continue;
      }
      const sum = scope.own(addPasses(total, pass));
      tf.dispose([total.loss, ...total.gradients, pass.loss, ...pass.gradients]);
      total = sum;
    }
    const { loss, gradients } = total as PassResult;
    const numbers = scope.own(
      tf.tidy(() => tf.stack([loss, tf.addN(gradients.map((g) => tf.sum(tf.mul(g, g))))])),
    );
    const [lossValue, squared] = (await numbers.data()) as Float32Array;
    return {
      loss: lossValue as number,
      norm: Math.sqrt(squared as number),
      gradients: scope.release([...gradients]),
    };
  }

  #pass(options: {
    readonly batch: MicroBatch;
    readonly values: readonly tf.Tensor[];
    readonly factor: number;
    readonly dropoutSeed: number;
    readonly visibility: KeyVisibility | undefined;
  }): PassResult {
    const { batch, values, factor, dropoutSeed, visibility } = options;
    const { model, trainable } = this.#setup;
    try {
      return tf.tidy(() => {
        const binding = trainable.bind(values, dropoutSeed);
        const { value, grads } = tf
          .engine()
          .gradients(
            () => batchLoss({ model, batch, binding, factor, visibility }),
            [...values],
            undefined,
            true,
          );
        return { loss: value, gradients: flatten(this.#slabs, grads) };
      });
    } catch (error) {
      discardTape();
      throw error;
    }
  }

  #update(
    gradients: readonly tf.Tensor1D[],
    { learningRate, norm }: { readonly learningRate: number; readonly norm: number },
  ): void {
    const { betas, eps, weightDecay, clipNorm } = this.#setup.optimiser;
    const done = this.#run.step + 1;
    const kept = Math.min(this.#setup.average ?? 1, done / (done + 10));
    this.#states = this.#states.map((state, i) => {
      const next = adamWUpdate({
        state,
        gradient: gradients[i] as tf.Tensor1D,
        gradientScale: clipFactor(norm, clipNorm),
        step: done,
        learningRate,
        weightDecay: this.#slabs[i]?.decayed ? weightDecay : 0,
        betas,
        eps,
      });
      const { average } = state;
      const mean = average === undefined ? undefined : movedMean(average, next.value, kept);
      disposeState(state);
      return mean === undefined ? next : { ...next, average: mean };
    });
  }

  #nonFinite(what: string, indices: readonly number[]): SafeInferError {
    const { data, checkpoint } = this.#setup;
    const names = indices.map((index) => nameOf(data[index] as TrainingExample, index));
    const shown = names.slice(0, 8).join(', ') + (names.length > 8 ? ', ...' : '');
    const kept =
      checkpoint === undefined || this.#savedAt < 0
        ? 'there is no checkpoint to go on from'
        : `the checkpoint of step ${this.#savedAt} is kept in ${checkpointPath(checkpoint.directory)}`;
    return new SafeInferError(
      `the ${what} of step ${this.#run.step + 1} is not finite; its batch holds ${shown}`,
      {
        code: 'NON_FINITE',
        hint: `lower the learning rate, lengthen warm-up, or look at these examples; ${kept}`,
      },
    );
  }

  // --- between steps ---

  async #evaluateWhenDue(): Promise<void> {
    const { model, evaluate, trainable, signal, onProgress } = this.#setup;
    const { step, evaluations } = this.#run;
    if (evaluate === undefined || !isDue(step, this.#end(), evaluate.everySteps)) return;
    if (evaluations.at(-1)?.step === step) return;
    using scope = new TensorScope();
    const binding = trainable.bind(scope.own(this.takeValues()), null);
    const { data } = evaluate;
    const loss = await boundLoss({
      model,
      data,
      binding,
      ...(signal === undefined ? {} : { signal }),
    });
    evaluations.push({ step, loss });
    onProgress?.({ kind: 'evaluation', step, loss });
  }

  async #saveWhenDue(): Promise<void> {
    const { checkpoint } = this.#setup;
    if (checkpoint === undefined) return;
    if (isDue(this.#run.step, this.#end(), checkpoint.everySteps)) await this.#save();
  }

  async #save(): Promise<void> {
    const { checkpoint, onProgress } = this.#setup;
    const { step } = this.#run;
    if (checkpoint === undefined || this.#savedAt === step) return;
    const { directory } = checkpoint;
    await writeCheckpoint({
      directory,
      states: this.#states,
      run: this.#run,
      fingerprint: this.#fingerprint,
    });
    this.#savedAt = step;
    onProgress?.({ kind: 'checkpoint', step, path: checkpointPath(directory) });
  }
}

interface PassResult {
  readonly loss: tf.Scalar;
  readonly gradients: tf.Tensor1D[];
}

function addPasses(a: PassResult, b: PassResult): PassResult {
  return tf.tidy(() => ({
    loss: tf.add<tf.Scalar>(a.loss, b.loss),
    gradients: a.gradients.map((g, i) => tf.add<tf.Tensor1D>(g, b.gradients[i] as tf.Tensor1D)),
  }));
}

function movedMean(mean: tf.Tensor1D, value: tf.Tensor1D, kept: number): tf.Tensor1D {
  return tf.tidy(() => tf.add(mean, tf.mul(tf.sub(value, mean), 1 - kept)));
}

function disposeState({ value, first, second, average }: AdamState): void {
  tf.dispose([value, first, second]);
  average?.dispose();
}

function isDue(step: number, steps: number, every: number): boolean {
  return step > 0 && (step % every === 0 || step === steps);
}
