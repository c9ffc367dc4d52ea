// Everything that sequential edits of pocket start from, as JSON for tools/parity/pocket_edits: facts in their order, context
// templates, the tokens C is measured on, questions that count as harmless. Texts stay texts: PyTorch tokenises for itself.
// Run: pnpm tsx --conditions=@safeinfer/source packages/editing/bench/pocket-inputs.ts --out inputs.json
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { useBackend } from '@safeinfer/backend';
import { loadPocket, loadPocketSplit } from '@safeinfer/pocket';
import { contextTemplates } from '../src/index.ts';
import { factsOf, statisticsTexts } from './pocket-cases.ts';

const { values: flags } = parseArgs({ options: { out: { type: 'string' } } });
if (flags.out === undefined) throw new Error('name the file: --out inputs.json');
await useBackend({ name: 'ort', threads: 1 });
using pocket = await loadPocket();
const templates = await contextTemplates({
  model: pocket.model,
  seed: 1,
  style: 'memit',
  lengths: [[6, 5]],
});
writeFileSync(
  flags.out,
  JSON.stringify({
    templates: ['{}', ...templates.slice(1)],
    facts: {
      tune: factsOf('tune', Number.POSITIVE_INFINITY),
      test: factsOf('test', Number.POSITIVE_INFINITY),
    },
    statistics: statisticsTexts(pocket.tokenizer),
    howTo: loadPocketSplit('how-to', 'test').slice(0, 240),
    factQuestions: loadPocketSplit('fact-questions', 'test'),
  }),
);
