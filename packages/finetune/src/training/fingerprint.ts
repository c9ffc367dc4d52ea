// What must be equal for a checkpoint to go on: a resumed run then repeats the uninterrupted one.
import { createHash } from 'node:crypto';
import { readTensor, SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';

/** Each property of the run as a text; a difference is named in the error. */
export type Fingerprint = Readonly<Record<string, string>>;

/** Values of each weight that go into the digest: two checkpoints of one shape differ in the first few. */
const SAMPLE = 16;

/** A digest of the first values of every weight, by which a base model is recognised. */
export async function weightsDigest(model: Transformer): Promise<string> {
  const hash = createHash('sha256');
  for (const [name, tensor] of model.weights) {
    const sample = tf.tidy(() =>
      tf.slice(tf.reshape(tensor, [-1]), 0, Math.min(SAMPLE, tensor.size)),
    );
    try {
      hash.update(name).update(await readTensor(sample));
    } finally {
      sample.dispose();
    }
  }
  return hash.digest('hex');
}

/** @throws SafeInferError `BAD_CONFIG` naming what differs */
export function requireSameRun(saved: Fingerprint, own: Fingerprint, path: string): void {
  const names = [...new Set([...Object.keys(saved), ...Object.keys(own)])];
  const different = names.filter((name) => saved[name] !== own[name]);
  if (different.length === 0) return;
  const [first = ''] = different;
  throw new SafeInferError(
    `the checkpoint ${path} belongs to another run: ${different.join(', ')} differ ` +
      `(${first}: ${shown(saved[first])} there, ${shown(own[first])} here)`,
    {
      code: 'BAD_CONFIG',
      hint: 'choose another checkpoint directory, or run with the settings that the checkpoint was made with',
    },
  );
}

function shown(text: string | undefined): string {
  if (text === undefined) return 'absent';
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
