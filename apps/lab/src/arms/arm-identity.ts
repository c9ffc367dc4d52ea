// What decides an arm's answers besides the request: everything in here enters the key of every stored answer.
import { contentHash } from '@safeinfer/harmeval';
import type { ArmConfig } from '../config/experiment-schema.ts';
import type { SamplingConfig } from '../config/sampling-schema.ts';
import type { ArmDemonstrations } from './demonstrations.ts';

export interface ArmIdentityParts {
  readonly modelSha256: string;
  readonly backend: string;
  /** Editor, settings, facts and control; null for the unedited model. */
  readonly edit: unknown;
  readonly arm: ArmConfig;
  readonly demonstrations: ArmDemonstrations | undefined;
  /** Of files the arm reads: vectors, second checkpoints, adapters. */
  readonly files: unknown;
  /** The experiment's and the arm's, merged. */
  readonly sampling: SamplingConfig;
  readonly seed: number;
  readonly record: 'text' | 'tokens';
  /** Versions of the code whose change may change numbers. */
  readonly version: string;
}

/**
 * Names and labels are left out: renaming an arm reuses its answers, changing its strength never does. The arm's system
 * prompt is left out too: it is part of every request's messages.
 */
export function armIdentity(parts: ArmIdentityParts): string {
  const { arm, sampling, record, ...rest } = parts;
  const { steer, guide } = arm;
  const { n: _n, seed: _seed, ...draws } = sampling;
  // The seed draws the demonstrations of a vector; without one it has no part in an arm.
  const seed = steer?.safetyAmplification ? parts.seed : null;
  return contentHash({
    ...rest,
    seed,
    arm: { steer, guide },
    draws: isGreedy(sampling) ? withoutChance(draws) : draws,
    // Absent, not 'text': answers of runs before there was a choice stay valid.
    ...(record === 'tokens' ? { record } : {}),
  });
}

export function isGreedy({ temperature = 0 }: SamplingConfig): boolean {
  return temperature === 0;
}

/** Without a temperature, what cuts off unlikely tokens never cuts off the likeliest. */
function withoutChance(draws: Omit<SamplingConfig, 'n' | 'seed'>): unknown {
  const { temperature: _, topK, topP, minP, typicalP, topNSigma, order, ...rest } = draws;
  return typicalP === undefined ? rest : { ...rest, typicalP };
}
