// One step of AdamW over a vector of parameters, in one pass.
import type { TrainingKernels } from '@safeinfer/backend';
import type { Kernel } from '../kernel.ts';

export const adamW: Kernel = ({ inputs, attrs, backend }) => {
  const { gradientScale, decay, beta1, beta2, rootCorrection, stepSize, eps } =
    attrs as unknown as TrainingKernels['SafeInferAdamW'];
  const shape = inputs['value']!.shape;
  const [value, first, second, gradient] = ['value', 'first', 'second', 'gradient'].map((name) =>
    backend.floats(inputs[name]!),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const outs = [backend.output(shape), backend.output(shape), backend.output(shape)] as const;
  const [nextValue, nextFirst, nextSecond] = outs.map(({ values }) => values) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  // Each operation in double precision, each stored value rounded once.
  for (let i = 0; i < value.length; i++) {
    const g = gradient[i]! * gradientScale;
    const m = first[i]! + (g - first[i]!) * (1 - beta1);
    const v = second[i]! * beta2 + g * g * (1 - beta2);
    nextFirst[i] = m;
    nextSecond[i] = v;
    nextValue[i] = value[i]! * decay - (stepSize * m) / (Math.sqrt(v) / rootCorrection + eps);
  }
  return outs.map(({ info }) => info);
};
