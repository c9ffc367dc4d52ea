// Writes the text that the tokenizer is trained on: sampled documents, and every whole word that must be one token.
import { mkdirSync, writeFileSync } from 'node:fs';
import { documentText, SPECIAL_TOKENS } from './document.ts';
import { exportSplits } from './export-splits.ts';
import { createSource, sampleDocument } from './sample-document.ts';
import { FACTS } from './world.ts';

const [outDir = 'artifacts/pocket', seedText = '7', countText = '20000'] = process.argv.slice(2);
const source = createSource(Number(seedText), 'behaviour');
const special = new RegExp(SPECIAL_TOKENS.map((t) => t.replaceAll('|', '\\|')).join('|'), 'g');
const lines: string[] = [];
for (let i = 0; i < Number(countText); i += 1) {
  lines.push(documentText(sampleDocument(source, i)).replace(special, '\u0000'));
}
// Held-out wording: the words of every exported item, without any answer to a harmful question.
for (const items of Object.values(exportSplits(Number(seedText)))) {
  for (const item of items) {
    if ('question' in item && typeof item.question === 'string') lines.push(` ${item.question}`);
  }
}
mkdirSync(outDir, { recursive: true });
writeFileSync(
  `${outDir}/tokenizer-text.json`,
  JSON.stringify({
    texts: lines.flatMap((l) => l.split('\u0000')).filter((t) => t !== ''),
    wholeWords: [...new Set(FACTS.flatMap((f) => [f.subject, f.object]))].map((w) => ` ${w}`),
  }),
);
