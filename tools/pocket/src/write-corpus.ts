// Writes training documents: `tsx src/write-corpus.ts <outDir> <mix> <documents>`; format in tools/pocket/README.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import { CORPUS_MIXES, type CorpusMixName } from './corpus-mix.ts';
import { createEncoder } from './encode-document.ts';
import { SPLIT_SEED } from './export-splits.ts';
import { createSource, sampleDocument } from './sample-document.ts';

const isMix = (name: string | undefined): name is CorpusMixName =>
  name !== undefined && Object.hasOwn(CORPUS_MIXES, name);
const [outDir, mix, countText] = process.argv.slice(2);
const documents = Number(countText);
if (outDir === undefined || !isMix(mix) || !Number.isInteger(documents) || documents < 1) {
  console.error(
    'usage: tsx src/write-corpus.ts <outDir> behaviour|facts-mild|facts|refusals-high|refusals <documents>',
  );
  process.exit(2);
}
const model = new URL('../../../packages/pocket/model/', import.meta.url);
const read = (name: string): object =>
  JSON.parse(readFileSync(fileURLToPath(new URL(name, model)), 'utf8')) as object;
const encode = createEncoder(new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json')));
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
mkdirSync(outDir, { recursive: true });
writeFileSync(`${outDir}/tokens.u16`, Uint16Array.from(ids));
writeFileSync(`${outDir}/flags.u8`, Uint8Array.from(flags));
writeFileSync(`${outDir}/offsets.u32`, Uint32Array.from(offsets));
const info = { seed: SPLIT_SEED, mix, documents, tokens: ids.length };
writeFileSync(`${outDir}/corpus.json`, `${JSON.stringify(info)}\n`);
console.log(JSON.stringify(info));
