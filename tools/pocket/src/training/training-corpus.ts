// The documents of write-corpus.ts as training examples.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainingExample } from '@safeinfer/finetune';

/** The bit of a flag that marks a token of a fact's subject; the low seven bits are the weight in percent. */
const SUBJECT = 0x80;

export interface TrainingCorpus {
  readonly data: readonly TrainingExample[];
  /** For each example, one byte per token: 1 at tokens of a fact's subject. */
  readonly subjects: readonly Uint8Array[];
}

/** Documents longer than `longest` tokens are left out. */
export function readTrainingCorpus(directory: string, longest: number): TrainingCorpus {
  const read = (name: string): ArrayBuffer => {
    const bytes = readFileSync(join(directory, name));
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  };
  const tokens = new Uint16Array(read('tokens.u16'));
  const offsets = new Uint32Array(read('offsets.u32'));
  const flags = new Uint8Array(read('flags.u8'));
  const weights = Float32Array.from(flags, (flag) => (flag & 0x7f) / 100);
  const subject = flags.map((flag) => ((flag & SUBJECT) === 0 ? 0 : 1));
  const subjects: Uint8Array[] = [];
  const data: TrainingExample[] = [];
  for (let i = 0; i + 1 < offsets.length; i++) {
    const range = [offsets[i] as number, offsets[i + 1] as number] as const;
    if (range[1] - range[0] > longest) continue;
    data.push({
      id: `document ${i}`,
      tokens: tokens.subarray(...range),
      weights: weights.subarray(...range),
    });
    subjects.push(subject.subarray(...range));
  }
  return { data, subjects };
}
