// Second moments on disk: sums of k kT with their counts, as safetensors in float64.
import { stat } from 'node:fs/promises';
import { SafeInferError } from '@safeinfer/backend';
import { openSafetensors, writeSafetensors } from '@safeinfer/transformer';
import type { MeasuredMoment } from './second-moment.ts';

/** A collection under way. */
export interface MomentSums {
  readonly size: number;
  tokens: number;
  /** Texts read, those without tokens included: how many a resumed run skips. */
  texts: number;
  /** Of what was read (`ReadingDigest`); empty for moments that were not collected here. */
  digest: string;
  /** Per layer, row-major [size, size]: the sum of k kT. */
  readonly sums: Map<number, Float64Array>;
}

const FORMAT = 'safeinfer-moments-1';

export async function writeSums(path: string, state: MomentSums): Promise<void> {
  const { size, tokens, texts, digest, sums } = state;
  await writeSafetensors(
    path,
    [...sums].map(([layer, data]) => ({
      name: `layer.${layer}`,
      dtype: 'F64' as const,
      shape: [size, size],
      data,
    })),
    { metadata: { format: FORMAT, tokens: String(tokens), texts: String(texts), digest } },
  );
}

/** The state of an earlier run; undefined when there is no file. @throws WRONG_MODEL, BAD_FILE */
export async function readSums(
  path: string,
  expected: { readonly layers: readonly number[]; readonly size: number },
): Promise<MomentSums | undefined> {
  if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
  const state = await readAll(path);
  const layers = [...state.sums.keys()].sort((a, b) => a - b);
  const wanted = [...expected.layers].sort((a, b) => a - b);
  if (state.size !== expected.size || layers.join() !== wanted.join()) {
    throw new SafeInferError(
      `${path} holds layers ${layers.join(', ')} of size ${state.size}, not ${wanted.join(', ')} of ${expected.size}`,
      { code: 'WRONG_MODEL', hint: 'give the checkpoint another path, or delete it' },
    );
  }
  return state;
}

/** Moments that `collectMoments` left at its checkpoint path or `writeMoments` wrote. @throws BAD_FILE, NOT_FOUND */
export async function readMoments(path: string): Promise<ReadonlyMap<number, MeasuredMoment>> {
  const { size, tokens, sums } = await readAll(path);
  return new Map(
    [...sums].map(([layer, sum]) => [
      layer,
      { kind: 'measured', values: sum.map((x) => x / tokens), size, tokens },
    ]),
  );
}

/** Writes moments, for example ones that were read from the reference's .npz files. */
export async function writeMoments(
  path: string,
  moments: ReadonlyMap<number, MeasuredMoment>,
): Promise<void> {
  const [first] = moments.values();
  if (!first || [...moments.values()].some(({ tokens }) => tokens !== first.tokens)) {
    throw new SafeInferError(
      'moments of one file have one token count, and there is at least one',
      {
        code: 'BAD_ARGUMENT',
        hint: 'write each layer to its own file',
      },
    );
  }
  const { size, tokens } = first;
  const sums = new Map(
    [...moments].map(([layer, { values }]) => [layer, values.map((x) => x * tokens)]),
  );
  await writeSums(path, { size, tokens, texts: 0, digest: '', sums });
}

async function readAll(path: string): Promise<MomentSums> {
  await using file = await openSafetensors(path);
  const tokens = Number(file.metadata.get('tokens'));
  const texts = Number(file.metadata.get('texts'));
  const sums = new Map<number, Float64Array>();
  let size = 0;
  for (const [name, { shape }] of file.tensors) {
    const layer = /^layer\.(\d+)$/.exec(name)?.[1];
    if (layer === undefined || shape.length !== 2 || shape[0] !== shape[1]) continue;
    size = shape[0]!;
    sums.set(Number(layer), await file.readFloat64(name));
  }
  const counted = Number.isSafeInteger(tokens) && tokens > 0 && Number.isSafeInteger(texts);
  if (file.metadata.get('format') !== FORMAT || !counted || sums.size === 0) {
    throw new SafeInferError(`${path} holds no second moments`, {
      code: 'BAD_FILE',
      hint: 'give a file that collectMoments or writeMoments wrote; .npz files go to readMomentNpz',
    });
  }
  return { size, tokens, texts, digest: file.metadata.get('digest') ?? '', sums };
}
