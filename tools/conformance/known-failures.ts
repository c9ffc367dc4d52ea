// Why a spec of tfjs-core fails on a backend here, by a pattern of its name or message; the first match counts.

export interface KnownFailure {
  readonly pattern: RegExp;
  readonly reason: string;
}

export const KNOWN_FAILURES: readonly KnownFailure[] = [
  {
    pattern: /memory leak/,
    reason:
      'the leak check counts a saved input twice: Identity copies on wasm where other backends share; ' +
      'memory is freed with the tape',
  },
  {
    pattern: /\$\.id = |logSigmoid gradient with clones/,
    reason: 'specs of the engine that assume how many tensors a backend makes inside a kernel',
  },
  {
    pattern: /otsu|fractional outputs|out of bounds slice/,
    reason:
      'image thresholds, pooling with fractional sizes and the bounds of tf.slice2d: upstream, not used here',
  },
  {
    pattern: /fills with zero when index is out of bound/,
    reason:
      'the suite wants an error and, of GPUs, also zeros for an index outside the table: here it is an error, as on ' +
      'every other backend, where the indices are on the host',
  },
  {
    pattern: /^exp int32/,
    reason:
      'accuracy: WGSL grants exp(x) an error of 3 + 2|x| units in the last place; exp(10) is 1.5 off, the spec ' +
      'wants the nearest float',
  },
  {
    pattern: /^tan numbers exceed float32 precision/,
    reason: 'accuracy: tan of numbers around 1e9, which float32 cannot tell apart by less than 64',
  },
  { pattern: /^fromPixels, mock canvas/, reason: 'images from a canvas, which Node does not have' },
];
