// The few protobuf wire forms that an ONNX model needs, written by hand: no generated code, no dependency.

/** A field of a message, already encoded. */
export type Field = Uint8Array;

const WIRE_VARINT = 0;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;
const utf8 = new TextEncoder();

/** An integer field; negative numbers take ten bytes, as two's complement. */
export function integer(field: number, value: number | bigint): Field {
  return join([key(field, WIRE_VARINT), varint(BigInt(value))]);
}

export function text(field: number, value: string): Field {
  return bytes(field, utf8.encode(value));
}

export function bytes(field: number, value: Uint8Array): Field {
  return join([key(field, WIRE_BYTES), varint(BigInt(value.length)), value]);
}

export function float(field: number, value: number): Field {
  const data = new DataView(new ArrayBuffer(4));
  data.setFloat32(0, value, true);
  return join([key(field, WIRE_FIXED32), new Uint8Array(data.buffer)]);
}

/** A nested message. */
export function message(field: number, fields: readonly Field[]): Field {
  return bytes(field, join(fields));
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function key(field: number, wire: number): Uint8Array {
  return varint(BigInt(field * 8 + wire));
}

function varint(value: bigint): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Uint8Array.from(out);
}
