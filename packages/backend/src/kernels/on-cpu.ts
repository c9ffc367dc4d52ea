// One kernel of tfjs-backend-cpu on copies of another backend's values: what that backend lacks or refuses.
import * as tf from '@tensorflow/tfjs-core';

type KernelArguments = Parameters<tf.KernelFunc>[0];

interface CpuBackend extends tf.KernelBackend {
  firstUse: boolean;
  makeTensorInfo(shape: number[], dtype: tf.DataType, values: object): tf.TensorInfo;
}

/** Runs cpu's kernel and hands the results to `args.backend`, which must be able to read its inputs at once. */
export function onCpu(kernelName: string, args: KernelArguments): tf.TensorInfo | tf.TensorInfo[] {
  const own = args.backend as tf.KernelBackend;
  const cpu = tf.findBackend('cpu') as CpuBackend;
  cpu.firstUse = false;
  const copies: tf.TensorInfo[] = [];
  const copy = (info: tf.TensorInfo): tf.TensorInfo => {
    const made = toCpu(own, cpu, info);
    copies.push(made);
    return made;
  };
  try {
    // Ragged kernels take lists of tensors under one name.
    const entries = Object.entries(args.inputs).map(([name, info]) => [
      name,
      Array.isArray(info) ? info.map(copy) : info && copy(info),
    ]);
    const inputs = Array.isArray(args.inputs)
      ? entries.map(([, info]) => info)
      : Object.fromEntries(entries);
    const { kernelFunc } = tf.getKernel(kernelName, 'cpu');
    const out = kernelFunc({ inputs, attrs: args.attrs as tf.NamedAttrMap, backend: cpu });
    const made = Array.isArray(out) ? out : [out];
    copies.push(...made);
    const results = made.map((info) => fromCpu(cpu, own, info));
    return Array.isArray(out) ? results : results[0]!;
  } finally {
    for (const { dataId } of copies) cpu.disposeData(dataId);
  }
}

function toCpu(own: tf.KernelBackend, cpu: CpuBackend, info: tf.TensorInfo): tf.TensorInfo {
  const { shape, dtype, dataId } = info;
  const values = own.readSync(dataId);
  if (dtype !== 'complex64') return cpu.makeTensorInfo(shape, dtype, values);
  const { real, imag } = tf.backend_util.splitRealAndImagArrays(values as Float32Array);
  const parts = {
    real: cpu.makeTensorInfo(shape, 'float32', real),
    imag: cpu.makeTensorInfo(shape, 'float32', imag),
  };
  const complex = tf.getKernel('Complex', 'cpu').kernelFunc({
    inputs: parts,
    attrs: {},
    backend: cpu,
  });
  // The complex tensor holds its own references to both.
  for (const part of Object.values(parts)) cpu.disposeData(part.dataId);
  return complex as tf.TensorInfo;
}

/** Complex numbers are handed over as pairs, as `tensor.data()` gives them. */
function fromCpu(cpu: CpuBackend, own: tf.KernelBackend, info: tf.TensorInfo): tf.TensorInfo {
  const { shape, dtype, dataId } = info;
  let values = cpu.readSync(dataId);
  // Cpu keeps some results in arrays of another type; other backends take bytes.
  if (dtype === 'int32' && !(values instanceof Int32Array)) {
    values = Int32Array.from(values as Float32Array);
  } else if (dtype === 'bool' && !(values instanceof Uint8Array)) {
    values = Uint8Array.from(values as Float32Array);
  } else if (dtype === 'float32' && !(values instanceof Float32Array)) {
    values = Float32Array.from(values as Int32Array);
  }
  return { dataId: own.write(values, shape, dtype), shape, dtype };
}
