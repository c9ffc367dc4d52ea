// Measurements beside the main table, each a part of EVALUATION.md: `pnpm pocket:eval-part <part> [options]`.
//   simple        the plain model on more held-out simple requests
//   adapters      adapters of our own trainer beside the bundled ones (--adapters DIR of train-adapters.ts)
//   attacks       why attacks hold under SafeInfer, and what a wider sweep on select finds (--minutes N)
//   own-training  another model directory, such as `pnpm pocket:train` makes (--model DIR --adapters DIR)
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { readAdapter } from '@safeinfer/finetune';
import { loadPocket } from '@safeinfer/pocket';
import { loadModel, type Tokenizer, type Transformer } from '@safeinfer/transformer';
import { keepPart, PARTS, type Part, writeEvaluation } from './evaluation-file.ts';
import { adaptersPart, ownTrainingPart, simplePart } from './further-parts.ts';
import { attacksPart } from './sweep-attacks.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    backend: { type: 'string', default: 'ort' },
    threads: { type: 'string' },
    model: { type: 'string' },
    adapters: { type: 'string' },
    minutes: { type: 'string', default: '15' },
    out: {
      type: 'string',
      default: fileURLToPath(new URL('../../../../packages/pocket', import.meta.url)),
    },
  },
});
const isPart = (name: string | undefined): name is Part => PARTS.some((part) => part === name);
const [part] = positionals;
if (!isPart(part)) throw new Error(`usage: eval-part ${PARTS.join('|')} [options]`);

await useBackend({
  name: values.backend as BackendName,
  ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
});
const text = await measure(part);
keepPart(part, text);
writeEvaluation(values.out);
process.stdout.write(`${text}\n`);

async function measure(wanted: Part): Promise<string> {
  if (wanted === 'own-training') {
    if (values.model === undefined) throw new Error('own-training needs --model DIR');
    using model = (await loadModel({ path: values.model })) as Transformer<Tokenizer>;
    await addAdapters(model, 'unsafe', 'safe');
    return await ownTrainingPart(model);
  }
  using pocket = await loadPocket();
  if (wanted === 'simple') return await simplePart(pocket.model);
  if (wanted === 'attacks') return await attacksPart(pocket.model, 60 * Number(values.minutes));
  await addAdapters(pocket.model, 'own-unsafe', 'own-safe');
  return await adaptersPart(pocket.model);
}

async function addAdapters(model: Transformer, unsafe: string, safe: string): Promise<void> {
  if (values.adapters === undefined) throw new Error('this part needs --adapters DIR');
  for (const [name, folder] of [
    [unsafe, 'unsafe'],
    [safe, 'safe'],
  ] as const) {
    model.addAdapter(name, await readAdapter({ model, path: join(values.adapters, folder) }));
  }
}
