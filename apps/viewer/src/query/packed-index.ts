// A run index as it travels in an export: one character an item where a number is small.
import type { RunIndex } from './run-index.ts';

/** Marks need 7 bits; from this character on they stay printable, and JSON escapes none but the backslash. */
const FIRST = 48;

export interface PackedIndex extends Omit<RunIndex, 'marks' | 'harmful'> {
  readonly marks: readonly string[];
  readonly harmful: string;
}

export function packIndex(index: RunIndex): PackedIndex {
  return { ...index, marks: index.marks.map(pack), harmful: pack(index.harmful) };
}

export function unpackIndex(packed: PackedIndex): RunIndex {
  return { ...packed, marks: packed.marks.map(unpack), harmful: unpack(packed.harmful) };
}

function pack(values: readonly number[]): string {
  return values.map((value) => String.fromCharCode(FIRST + value)).join('');
}

function unpack(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0) - FIRST);
}
