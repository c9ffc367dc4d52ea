// What the kernels for tfjs-node need of it: TensorFlow operations by name, and values as typed arrays.
import * as tf from '@tensorflow/tfjs-core';

/** TF_BFLOAT16 of TensorFlow's C API; the binding exports only the types that tfjs has. */
export const BFLOAT16 = 14;

interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean;
}

export interface Made {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

interface NodeBinding {
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  createTensor(shape: readonly number[], type: number, values: tf.backend_util.TypedArray): number;
  executeOp(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
  ): Made[];
  deleteTensor(id: number): void;
}

export interface NodeBackend {
  readonly binding: NodeBinding;
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
  createOutputTensor(made: Made): tf.Tensor;
  readSync(dataId: object): tf.backend_util.TypedArray;
  write(values: tf.backend_util.TypedArray, shape: number[], dtype: tf.DataType): object;
  /** `values` until an operation of TensorFlow first needs the tensor. */
  readonly tensorMap: {
    get(dataId: object): { readonly values: tf.backend_util.TypedArray | null };
  };
}

export function typeAttribute(backend: NodeBackend, name: string, value: number): Attribute {
  return { name, type: backend.binding.TF_ATTR_TYPE, value };
}

export function flagAttribute(backend: NodeBackend, name: string, value: boolean): Attribute {
  return { name, type: backend.binding.TF_ATTR_BOOL, value };
}

/** The values of an fp32 tensor, to read: they may be the tensor's own. */
export function floatsOf(backend: NodeBackend, info: tf.TensorInfo): Float32Array {
  return backend.readSync(info.dataId) as Float32Array;
}

/** A tensor of `values`, which belong to it from here on. TensorFlow gets them when an operation needs them. */
export function tensorOf(
  backend: NodeBackend,
  values: Float32Array,
  shape: readonly number[],
): tf.Tensor {
  const own = [...shape];
  const dataId = backend.write(values, own, 'float32');
  return tf.engine().makeTensorFromTensorInfo({ dataId, shape: own, dtype: 'float32' });
}

/** A private kernel: tensors by name and attributes in, what it made out. */
export type NodeKernel = (call: NodeKernelCall) => tf.Tensor;

export interface NodeKernelCall {
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: NodeBackend;
}
