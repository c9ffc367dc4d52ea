// Why a spec of tfjs-core fails on a backend here, by a pattern of its name or message; the first match counts.

export interface KnownFailure {
  readonly pattern: RegExp;
  readonly reason: string;
}

export const KNOWN_FAILURES: readonly KnownFailure[] = [
  {
    pattern: /Kernel 'Complex'/,
    reason:
      'complex numbers and Fourier transforms: no such kernels in tfjs-backend-wasm; not used here',
  },
  {
    pattern: /einsum/i,
    reason:
      'tf.einsum: no kernel in tfjs-backend-wasm; `einsum` of @safeinfer/backend works everywhere',
  },
  {
    pattern: /Conv|conv1d|channelsFirst|NCHW|rank-4|rank-1 bias/i,
    reason:
      'convolutions: gradients, NCHW layouts and broadcast biases are missing upstream; not used here',
  },
  {
    pattern: /ragged/i,
    reason: 'ragged tensors: no such kernels in tfjs-backend-wasm; not used here',
  },
  {
    pattern: /string|StaticRegexReplace/i,
    reason: 'string tensors: unsupported by tfjs-backend-wasm; not used here',
  },
  {
    pattern: /confusionMatrix|non-float32/,
    reason: 'products of int32 matrices: unsupported by tfjs-backend-wasm; cast to float32 first',
  },
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
    pattern: /fused matmul .* 2d bias/,
    reason: 'tf.fused.matMul with a bias of rank 2: unsupported upstream; a bias here has rank 1',
  },
  {
    pattern: /otsu|fractional outputs|out of bounds slice/,
    reason:
      'image thresholds, pooling with fractional sizes and the bounds of tf.slice2d: upstream, not used here',
  },
];
