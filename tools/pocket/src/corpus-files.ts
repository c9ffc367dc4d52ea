// Training documents as files of token ids and loss weights; the format is in tools/pocket/README.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import type { CorpusMixName } from './corpus-mix.ts';
import { createEncoder } from './encode-document.ts';
import { SPLIT_SEED } from './export-splits.ts';
import { createSource, sampleDocument } from './sample-document.ts';

interface CorpusInfo {
  readonly seed: number;
  readonly mix: CorpusMixName;
  readonly documents: number;
  readonly tokens: number;
}

/** Writes the first `documents` documents of a mix; corpus.json comes last, so that it marks a whole corpus. */
export function writeCorpusFiles(options: {
  readonly directory: string;
  readonly mix: CorpusMixName;
  readonly documents: number;
}): CorpusInfo {
  const { directory, mix, documents } = options;
  const model = new URL('../../../packages/pocket/model/', import.meta.url);
  const read = (name: string): object =>
    JSON.parse(readFileSync(fileURLToPath(new URL(name, model)), 'utf8')) as object;
  const encode = createEncoder(
    new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json')),
  );
  const source = createSource(SPLIT_SEED, mix);
  const ids: number[] = [];
  const flags: number[] = [];
  const offsets: number[] = [0];
  for (let i = 0; i < documents; i += 1) {
    const encoded = encode(sampleDocument(source, i));
    for (const id of encoded.ids) ids.push(id);
    for (const flag of encoded.flags) flags.push(flag);
    offsets.push(ids.length);
  }
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}/tokens.u16`, Uint16Array.from(ids));
  writeFileSync(`${directory}/flags.u8`, Uint8Array.from(flags));
  writeFileSync(`${directory}/offsets.u32`, Uint32Array.from(offsets));
  const info = { seed: SPLIT_SEED, mix, documents, tokens: ids.length };
  writeFileSync(`${directory}/corpus.json`, `${JSON.stringify(info)}\n`);
  return info;
}
