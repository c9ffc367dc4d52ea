// `safeinfer edit`: rewrites facts, shows what changed, saves the change, takes it back, checks it.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { checkLayer, checkRequest, EditSession, prepareEdit } from '@safeinfer/editing';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { editCases } from '../edit/edit-cases.ts';
import { EDIT_METHODS, type EditFlags } from '../edit/edit-flags.ts';
import { checkMethod, editSettings } from '../edit/edit-method.ts';
import { editStatistics } from '../edit/edit-statistics.ts';
import { openOutput } from '../edit/open-output.ts';
import { runEdit } from '../edit/run-edit.ts';
import { undoSaved, verifySession } from '../edit/session-files.ts';
import { showEdit } from '../edit/show-edit.ts';
import { chooseBackend } from '../model/choose-backend.ts';
import { openModel } from '../model/open-model.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { version } from './version.ts';

export function registerEditCommand(program: Command, signal: AbortSignal): void {
  const number = (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    throw new InvalidArgumentError('not a number');
  };
  program
    .command('edit')
    .description(
      'rewrite facts (ROME, MEMIT, EMMET, PMET, AlphaEdit, fine-tuning), look at the result, save it, undo it',
    )
    .option('--model <path>', 'model directory, hub name or "pocket"', 'pocket')
    .option('--prompt <text>', 'the fact, with {} where the subject stands: "The capital of {} is"')
    .option('--subject <text>', 'the subject')
    .option('--target <text>', 'the new object')
    .option('--truth <text>', 'the object so far: gives CounterFact’s scores')
    .option('--paraphrase <text...>', 'other wordings to look at, with {} or the subject')
    .option('--neighbor <text...>', 'other facts to look at: "The capital of Poland is => Warsaw"')
    .option(
      '--requests <file>',
      'JSON file as CounterFact, zsRE, KnowEdit or EasyEdit have it, or a list of {prompt, subject, targetNew}; or "pocket"',
    )
    .option('--only <id...>', 'these facts of the file')
    .option('--count <n>', 'the first n facts of the file', number)
    .addOption(
      new Option('--zsre-target <which>', 'what zsRE facts are edited to')
        .choices(['answers', 'alt'])
        .default('answers'),
    )
    .addOption(new Option('--method <name>', 'editor').choices([...EDIT_METHODS]).default('rome'))
    .option(
      '--preset <name>',
      'published settings by model name, for example llama-2-7b or gpt2-xl',
    )
    .option('--layer <n...>', 'layer or layers, 0-based', (text: string, past: number[] = []) => [
      ...past,
      number(text),
    ])
    .addOption(
      new Option('--fact-token <which>', 'token the key is read at').choices([
        'subjectLast',
        'last',
      ]),
    )
    .addOption(
      new Option('--keys <which>', 'ROME: averaged is r-ROME, original the published code').choices(
        ['averaged', 'original', 'prompt'],
      ),
    )
    .addOption(
      new Option('--objective <which>', 'ft: target is FT-M, promptLast FT-L').choices([
        'target',
        'promptLast',
      ]),
    )
    .option('--lr <x>', 'learning rate of the value', number)
    .option('--steps <n>', 'steps of the value', number)
    .option('--clamp <x>', 'largest value, as a multiple of the original', number)
    .option('--decay <x>', 'weight decay of the value', number)
    .option('--lambda <x>', 'memit, pmet: weight of what is preserved', number)
    .option('--l2 <x>', 'alphaedit: ridge', number)
    .option('--null-space <x>', 'alphaedit: eigenvalues of C below it are free', number)
    .option('--moments <file>', 'second moments (.safetensors or .npz), or "identity"')
    .option(
      '--collect <file>',
      'text file, one text a line, to collect second moments from; the sums stay in --out as moments.safetensors, and the same command goes on from them',
    )
    .option('--drift <file>', 'text file, one text a line: their perplexity must not rise')
    .option('--seed <n>', 'of the context templates', number, 1)
    .option('--out <directory>', 'where session.safetensors and edit.json go', 'runs/edit')
    .option('--undo <session>', 'take an edit out of a saved session (written to --out)')
    .option('--id <id>', 'which edit --undo takes back (default: the last)')
    .option('--verify <session>', 'check a saved session against the model, bit for bit')
    .option('--backend <name>', 'compute backend (default: the best that works here)')
    .option('--json', 'the result as JSON', false)
    .action((flags: EditFlags) => editCommand({ flags, signal }));
}

async function editCommand(options: {
  readonly flags: EditFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { flags } = options;
  const print = (text: string, json: unknown): void => {
    process.stdout.write(flags.json ? `${JSON.stringify(json, null, 2)}\n` : text);
  };
  if (flags.verify !== undefined || flags.undo !== undefined) {
    await chooseBackend({ backend: flags.backend });
    using opened = await openModel({ name: flags.model, signal: options.signal });
    if (flags.undo === undefined) {
      const check = await verifySession(opened.model, flags.verify!);
      const lines = check.weights.map(
        ({ name, unedited, edited }) => `${name}: unedited ${unedited}, edited ${edited}`,
      );
      print(
        `${check.edits.length} edits: ${check.edits.join(', ')}\n${lines.join('\n')}\n` +
          `undone: ${check.restored ? 'every weight has its bits again' : 'BITS DIFFER'}\n`,
        check,
      );
      return;
    }
    using output = openOutput(flags.out);
    const out = join(output.directory.path, 'session.safetensors');
    const { model } = opened;
    const result = await undoSaved({ model, path: flags.undo, id: flags.id, out });
    print(
      `undone: ${result.undone}; left: ${result.left.join(', ') || 'none'}; session: ${relative('.', out)}\n`,
      result,
    );
    return;
  }
  await edit(options, print);
}

async function edit(
  options: { readonly flags: EditFlags; readonly signal: AbortSignal },
  print: (text: string, json: unknown) => void,
): Promise<void> {
  const { flags, signal } = options;
  // Everything that can be wrong with the request shows before a model is loaded.
  const cases = await editCases(flags);
  for (const { request } of cases) checkRequest(request);
  const settings = editSettings(flags);
  checkMethod(flags, settings);
  const driftTexts = flags.drift === undefined ? [] : textLines(flags.drift);
  const backend = await chooseBackend({ backend: flags.backend });
  using opened = await openModel({ name: flags.model, signal });
  const { model } = opened;
  // What only the model can tell, before statistics are collected and before anything is written.
  for (const layer of settings.layers) checkLayer(model, layer);
  const factToken = flags.method === 'ft' ? 'last' : (flags.factToken ?? 'subjectLast');
  for (const { request } of cases)
    prepareEdit({ model, request, factToken, contextTemplates: ['{}'] });
  using output = openOutput(flags.out);
  const { directory } = output;
  const progress = createProgressLine();
  using session = new EditSession(model);
  try {
    const onProgress = (update: Parameters<typeof progress.update>[0]): void =>
      progress.update(update);
    const statistics = await editStatistics({
      flags,
      model,
      layers: settings.layers,
      subjects: cases.map(({ request }) => request.subject),
      checkpoint: join(directory.path, 'moments.safetensors'),
      modelSha256: opened.sha256,
      signal,
      onProgress,
    });
    const outcome = await runEdit({
      ...{ model, session, cases, flags, settings, statistics },
      ...{ driftTexts, signal, onProgress },
    });
    progress.end();
    const path = join(directory.path, 'session.safetensors');
    await session.save(path);
    const how =
      `${flags.method} at layer ${settings.layers.join(', ')} (${settings.source}; ${statistics.source}): ` +
      Object.entries(settings.numbers)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ');
    const json = {
      schema: 1,
      what: 'edit',
      safeinfer: version,
      model: { name: opened.name, sha256: opened.sha256 },
      backend: backend.name,
      how,
      ...outcome,
    };
    directory.write('edit.json', `${JSON.stringify(json, null, 2)}\n`);
    const shown = relative('.', path);
    print(
      `${showEdit({ model, outcome, cases, flags, how })}session: ${shown}\n` +
        `undo: safeinfer edit --undo ${shown}   check: safeinfer edit --verify ${shown}\n`,
      json,
    );
  } finally {
    progress.end();
  }
}

function textLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '');
  } catch (cause) {
    throw new SafeInferError(`cannot read ${path}: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: '--drift names a text file with one text a line',
      cause,
    });
  }
}
