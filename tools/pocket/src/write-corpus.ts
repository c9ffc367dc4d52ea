// Writes training documents: `tsx src/write-corpus.ts <outDir> <mix> <documents>`; format in tools/pocket/README.md.
import { writeCorpusFiles } from './corpus-files.ts';
import { CORPUS_MIXES, type CorpusMixName } from './corpus-mix.ts';

const isMix = (name: string | undefined): name is CorpusMixName =>
  name !== undefined && Object.hasOwn(CORPUS_MIXES, name);
const [directory, mix, countText] = process.argv.slice(2);
const documents = Number(countText);
if (directory === undefined || !isMix(mix) || !Number.isInteger(documents) || documents < 1) {
  console.error(
    `usage: tsx src/write-corpus.ts <outDir> ${Object.keys(CORPUS_MIXES).join('|')} <documents>`,
  );
  process.exit(2);
}
console.log(JSON.stringify(writeCorpusFiles({ directory, mix, documents })));
