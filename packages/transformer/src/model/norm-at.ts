// Norms with their hook points.
import * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../hooks/hook-name.ts';
import { centred, fusedNorm, type NormParts, norm, normOutput, normScale } from '../ops/norm.ts';
import type { Pass } from './pass.ts';

type NormName = 'ln_final' | `blocks.${number}.${'ln1' | 'ln2' | 'ln1_post' | 'ln2_post'}`;

/** Normalises the residual stream [N, D] at a named norm. */
export function normAt(pass: Pass, name: NormName, x: tf.Tensor2D): tf.Tensor2D {
  return hookedNorm(pass, name, x, pass.normParts(name)) as tf.Tensor2D;
}

/** Normalises queries or keys [N, heads, e], per head or over all heads at once. */
export function headNormAt(
  pass: Pass,
  name: `blocks.${number}.attn.${'q_norm' | 'k_norm'}`,
  x: tf.Tensor3D,
): tf.Tensor3D {
  const { norm: own, attention } = pass.config;
  const parts: NormParts = {
    w: pass.weight(`${name}.w`),
    b: pass.optional(`${name}.b`),
    kind: attention.qkNormKind,
    eps: own.eps,
    gainOffset: attention.qkNormKind === 'rms' ? own.gainOffset : 0,
  };
  if (attention.qkNorm === 'head') return hookedNorm(pass, name, x, parts) as tf.Tensor3D;
  const [tokens, heads, width] = x.shape;
  const shape: [number, number] = [tokens, heads * width];
  // The points keep their head axis: [N, heads, e], and [N, 1, 1] for the one scale of all heads.
  return hookedNorm(pass, name, tf.reshape(x, shape), parts, {
    toPoint: (y) => tf.reshape(y, y.shape[1] === 1 ? [tokens, 1, 1] : x.shape),
    fromPoint: (y) => tf.reshape(y, y.shape[1] === 1 ? [tokens, 1] : shape),
  }) as tf.Tensor3D;
}

interface PointShape {
  readonly toPoint: (y: tf.Tensor) => tf.Tensor;
  readonly fromPoint: (y: tf.Tensor) => tf.Tensor;
}

/** Returns the output in the shape its point has. */
function hookedNorm(
  pass: Pass,
  name: NormName | `blocks.${number}.attn.${'q_norm' | 'k_norm'}`,
  x: tf.Tensor,
  parts: NormParts,
  shape?: PointShape,
): tf.Tensor {
  const toPoint = shape?.toPoint ?? ((y: tf.Tensor) => y);
  const out = `${name}.hook_out` as HookName;
  const scaleName = `${name}.hook_scale` as HookName;
  const normalizedName = `${name}.hook_normalized` as HookName;
  if (!pass.touches(scaleName) && !pass.touches(normalizedName)) {
    return pass.at(out, toPoint(norm(x, parts)));
  }
  const through = (point: HookName, y: tf.Tensor): tf.Tensor => {
    if (!pass.touches(point)) return y;
    const shown = toPoint(y);
    const passed = pass.at(point, shown);
    return passed === shown ? y : (shape?.fromPoint(passed) ?? passed);
  };
  const fused = fusedNorm(x, parts);
  const c = centred(x, parts.kind);
  const scale = normScale(c, parts.eps);
  const passedScale = through(scaleName, scale);
  const normalized: tf.Tensor = tf.div(c, passedScale);
  const passed = through(normalizedName, normalized);
  // A hook that only looks must not move a bit: computation goes on with the kernel's own result.
  const changed = passedScale !== scale || passed !== normalized;
  const output = fused !== undefined && !changed ? fused : normOutput(passed, parts);
  return pass.at(out, toPoint(output));
}
