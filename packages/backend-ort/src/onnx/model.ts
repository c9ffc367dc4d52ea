// Small ONNX models as bytes. Field numbers are those of onnx.proto3 (IR version 10).
import { bytes, type Field, float, integer, join, message, text } from './protobuf.ts';

const IR_VERSION = 10;
const OPSET = 21;
const CONTRIB_DOMAIN = 'com.microsoft';

/** Element types, with the codes of TensorProto.DataType. */
export const ELEMENT = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
} as const;

export type ElementType = keyof typeof ELEMENT;

export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface NodeSpec {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Numbers are integers; wrap a float as `{ float }`. */
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** True for an operator of ONNX Runtime's own domain. */
  readonly contrib?: boolean;
}

export interface ValueSpec {
  readonly name: string;
  readonly type: ElementType;
  /** Fixed sizes; left out where any rank and size may come. */
  readonly shape?: readonly number[];
}

/** Bytes of a file in the session's folder. */
export interface FileSlice {
  readonly file: string;
  readonly bytes: number;
  /** Where they begin; default 0. */
  readonly offset?: number;
}

/** A constant, stored in the model or in a file beside it. */
export interface InitializerSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: Uint8Array | FileSlice;
}

export interface ModelSpec {
  readonly nodes: readonly NodeSpec[];
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  readonly initializers?: readonly InitializerSpec[];
}

/** The first output of every model, a constant that a run may ask for: see `runSession`. */
export const FIRST_OUTPUT = 'first';
const FIRST: InitializerSpec = {
  name: FIRST_OUTPUT,
  type: 'bool',
  shape: [],
  data: Uint8Array.of(1),
};

/** The serialised ModelProto. */
export function onnxModel(spec: ModelSpec): Uint8Array {
  const graph: Field[] = [
    ...spec.nodes.map((node) => message(1, nodeFields(node))),
    text(2, 'g'),
    ...[FIRST, ...(spec.initializers ?? [])].map((constant) =>
      message(5, initializerFields(constant)),
    ),
    ...spec.inputs.map((value) => message(11, valueFields(value))),
    ...[FIRST, ...spec.outputs].map((value) => message(12, valueFields(value))),
  ];
  return join([
    integer(1, IR_VERSION),
    message(8, [text(1, ''), integer(2, OPSET)]),
    message(8, [text(1, CONTRIB_DOMAIN), integer(2, 1)]),
    message(7, graph),
  ]);
}

/** Bytes of an int64 vector, the type in which ONNX takes axes and shapes. */
export function int64Bytes(values: readonly number[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer);
}

function nodeFields(node: NodeSpec): Field[] {
  return [
    ...node.inputs.map((name) => text(1, name)),
    ...node.outputs.map((name) => text(2, name)),
    text(4, node.op),
    ...Object.entries(node.attributes ?? {}).map(([name, value]) =>
      message(5, [text(1, name), ...attributeFields(value)]),
    ),
    ...(node.contrib ? [text(7, CONTRIB_DOMAIN)] : []),
  ];
}

/** Value and type code (AttributeProto.AttributeType) of an attribute. */
function attributeFields(value: Attribute): Field[] {
  if (typeof value === 'number') return [integer(3, value), integer(20, 2)];
  if (typeof value === 'string') return [text(4, value), integer(20, 3)];
  if ('float' in value) return [float(2, value.float), integer(20, 1)];
  return [...value.map((item) => integer(8, item)), integer(20, 7)];
}

function valueFields({ name, type, shape }: ValueSpec): Field[] {
  const tensor: Field[] = [integer(1, ELEMENT[type])];
  if (shape !== undefined) {
    tensor.push(
      message(
        2,
        shape.map((size) => message(1, [integer(1, size)])),
      ),
    );
  }
  return [text(1, name), message(2, [message(1, tensor)])];
}

function initializerFields({ name, type, shape, data }: InitializerSpec): Field[] {
  const head = [...shape.map((size) => integer(1, size)), integer(2, ELEMENT[type]), text(8, name)];
  if (data instanceof Uint8Array) return [...head, bytes(9, data)];
  const entry = (key: string, value: string): Field => message(13, [text(1, key), text(2, value)]);
  return [
    ...head,
    entry('location', data.file),
    entry('offset', String(data.offset ?? 0)),
    entry('length', String(data.bytes)),
    integer(14, 1), // DataLocation.EXTERNAL
  ];
}
