// A plan written into the weights: the same model without hooks, where that is exact, and a refusal where it is not.
import { SafeInferError } from '@safeinfer/backend';
import {
  type ModelConfig,
  type Transformer,
  type WeightName,
  weightShapes,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { checkPlan } from '../plan/check-plan.ts';
import { unit } from '../plan/edit-activation.ts';
import type { SteeringOperation } from '../plan/operation.ts';
import type { SteeringPlan } from '../plan/steering-plan.ts';

/**
 * Operations that remove a direction from everything written to the residual stream: the embedding and every
 * attention and MLP output (Arditi et al. 2024). Equal to orthogonalised weights, so `bakePlan` takes them.
 */
export function ablateEverywhere(vector: Float32Array, config: ModelConfig): SteeringPlan {
  const operations: SteeringOperation[] = [
    // The input of block 0 is the token embedding plus the position embedding.
    { op: 'ablate', layer: 0, point: 'hook_resid_pre', vector },
  ];
  for (let layer = 0; layer < config.nLayers; layer += 1) {
    operations.push({ op: 'ablate', layer, point: 'hook_attn_out', vector });
    operations.push({ op: 'ablate', layer, point: 'hook_mlp_out', vector });
  }
  return { operations };
}

/**
 * A new model whose weights do what the plan does; it shares every weight it does not change. Exact cases: one
 * direction ablated at every write (`ablateEverywhere`), and additions to the residual stream or to heads at all
 * tokens of prompt and generation, which become output biases. Everything else throws UNSUPPORTED: conditions,
 * schedules, chosen positions, per-row numbers, norms kept, rotations, gates, and models whose blocks normalise
 * what they write. The caller disposes the new model.
 */
export async function bakePlan(model: Transformer, plan: SteeringPlan): Promise<Transformer> {
  checkPlan(plan, model.config);
  if (plan.rows?.length) throw inexact('rows with their own vectors or strengths');
  const live = plan.operations.filter(({ strength }) => strength !== 0);
  for (const operation of live) checkExact(operation, model.config);
  const ablations = live.filter(({ op }) => op === 'ablate');
  const additions = live.filter(({ op }) => op === 'add');
  if (ablations.length > 0 && additions.length > 0) {
    throw inexact('a plan that both removes a direction and adds vectors');
  }
  if (ablations.length > 0) return orthogonalise(model, ablations);
  return addBiases(model, additions);
}

function checkExact(operation: SteeringOperation, config: ModelConfig): void {
  const { op, positions = 'all', during = 'both', condition, schedule } = operation;
  if (op !== 'add' && op !== 'ablate') throw inexact(`the operation '${op}'`);
  if (op === 'add' && operation.norm !== undefined && operation.norm !== 'free') {
    throw inexact('an addition that keeps norms');
  }
  if (condition) throw inexact('a condition');
  if (schedule && schedule.kind !== 'constant') throw inexact('a schedule');
  if (positions !== 'all' || during !== 'both') throw inexact('chosen tokens');
  if (config.block.postNorm) throw inexact('a model that normalises what its blocks write');
}

async function orthogonalise(
  model: Transformer,
  ablations: readonly SteeringOperation[],
): Promise<Transformer> {
  const { config } = model;
  const first = ablations[0] as Extract<SteeringOperation, { op: 'ablate' }>;
  const wanted = new Set(
    ablateEverywhere(first.vector, config).operations.map(
      ({ layer, point }) => `${layer}.${point}`,
    ),
  );
  for (const operation of ablations as Extract<SteeringOperation, { op: 'ablate' }>[]) {
    const same = operation.vector.every((value, i) => value === first.vector[i]);
    if (!same) throw inexact('more than one ablated direction');
    if ((operation.strength ?? 1) !== 1) throw inexact('an ablation in part');
    wanted.delete(`${operation.layer}.${operation.point ?? 'hook_resid_post'}`);
  }
  if (wanted.size > 0) {
    throw inexact(`an ablation that leaves out ${[...wanted].slice(0, 3).join(', ')}`);
  }
  const direction = unit(first.vector);
  const changes = new Map<WeightName, tf.Tensor>();
  for (const name of weightShapes(config).keys()) {
    if (!/^(embed\.W_E|pos_embed\.W_pos|blocks\.\d+\.(attn\.[Wb]_O|mlp\.[Wb]_out))$/.test(name)) {
      continue;
    }
    changes.set(name, without(model.weights.get(name)!, direction));
  }
  if (!config.tiedEmbeddings) return model.withWeights(changes);
  // The unembedding must stay what it was, so the two part ways.
  changes.set('unembed.W_U', tf.transpose(model.weights.get('embed.W_E')! as tf.Tensor2D));
  return model.withWeights(changes, { ...config, tiedEmbeddings: false });
}

/** Every row of W [in, D], or a bias [D], without its component along the unit direction. */
function without(weight: tf.Tensor, direction: Float32Array): tf.Tensor {
  return tf.tidy(() => {
    const u = tf.tensor2d(direction, [direction.length, 1]);
    const rows: tf.Tensor2D = tf.reshape(weight, [-1, direction.length]);
    const along = tf.matMul(rows, u);
    return tf.reshape(tf.sub(rows, tf.matMul(along, u, false, true)), weight.shape);
  });
}

async function addBiases(
  model: Transformer,
  additions: readonly SteeringOperation[],
): Promise<Transformer> {
  const { config } = model;
  const shifts = new Map<WeightName, Float64Array>();
  const shift = (name: WeightName, values: ArrayLike<number>, scale: number): void => {
    const own = shifts.get(name) ?? new Float64Array(config.dModel);
    shifts.set(name, own);
    for (let i = 0; i < own.length; i += 1) own[i]! += scale * values[i]!;
  };
  for (const operation of additions as Extract<SteeringOperation, { op: 'add' }>[]) {
    const { layer, point = 'hook_resid_post', head, vector, strength = 1 } = operation;
    switch (point) {
      case 'attn.hook_z': {
        const weight = (await model.weights
          .get(`blocks.${layer}.attn.W_O`)!
          .data()) as Float32Array;
        const image = new Float64Array(config.dModel);
        for (let e = 0; e < config.dHead; e += 1) {
          const row = (head! * config.dHead + e) * config.dModel;
          for (let d = 0; d < config.dModel; d += 1) image[d]! += vector[e]! * weight[row + d]!;
        }
        shift(`blocks.${layer}.attn.b_O`, image, strength);
        break;
      }
      case 'hook_attn_out':
        shift(`blocks.${layer}.attn.b_O`, vector, strength);
        break;
      case 'hook_mlp_out':
      case 'hook_resid_post':
        shift(`blocks.${layer}.mlp.b_out`, vector, strength);
        break;
      case 'hook_resid_pre':
        if (layer === 0) throw inexact('an addition before the first block');
        shift(`blocks.${layer - 1}.mlp.b_out`, vector, strength);
        break;
      default:
        throw inexact(`an addition at '${point}'`);
    }
  }
  const needs = (pattern: RegExp): boolean => [...shifts.keys()].some((name) => pattern.test(name));
  const biased: ModelConfig = {
    ...config,
    biases: {
      ...config.biases,
      attnOut: config.biases.attnOut || needs(/b_O$/),
      mlp: config.biases.mlp || needs(/b_out$/),
    },
  };
  const changes = new Map<WeightName, tf.Tensor>();
  for (const [name, shape] of weightShapes(biased)) {
    const present = model.weights.get(name);
    const added = shifts.get(name);
    if (present && !added) continue;
    const before = present ? ((await present.data()) as Float32Array) : undefined;
    const size = shape.reduce((product, axis) => product * axis, 1);
    const values = Float32Array.from(
      { length: size },
      (_, i) => (before?.[i] ?? 0) + (added?.[i] ?? 0),
    );
    changes.set(name, tf.tensor(values, [...shape]));
  }
  return model.withWeights(changes, biased);
}

function inexact(what: string): SafeInferError {
  return new SafeInferError(`${what} cannot be written into weights exactly`, {
    code: 'UNSUPPORTED',
    hint: 'steer at run time with steerRows',
  });
}
