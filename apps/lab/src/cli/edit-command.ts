// `safeinfer edit`: rewrites facts, shows what changed, saves the change, takes it back, checks it.
import { join, relative } from 'node:path';
import { checkLayer, checkRequest, EditSession, prepareEdit } from '@safeinfer/editing';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { editCases } from '../edit/edit-cases.ts';
import { EDIT_METHODS, type EditMethodName } from '../edit/edit-choice.ts';
import { choiceOfFlags, type EditFlags } from '../edit/edit-flags.ts';
import { type EditSettings, editSettings } from '../edit/edit-settings.ts';
import { checkStatistics, statisticsOf, textLines } from '../edit/edit-statistics.ts';
import { createMomentFiles } from '../edit/moment-files.ts';
import { openOutput } from '../edit/open-output.ts';
import { runEdit } from '../edit/run-edit.ts';
import { undoSaved, verifySession } from '../edit/session-files.ts';
import { showEdit } from '../edit/show-edit.ts';
import { TRIAL_CONTEXTS } from '../edit/trial-contexts.ts';
import { chooseBackend } from '../model/choose-backend.ts';
import { openModel } from '../model/open-model.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { version } from './version.ts';

function number(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('not a number');
}

/** However it is capitalised. */
function methodName(text: string): EditMethodName {
  const found = EDIT_METHODS.find((name) => name.toLowerCase() === text.toLowerCase());
  if (found) return found;
  throw new InvalidArgumentError(
    text.toLowerCase() === 'ft'
      ? 'ft-m scores the target where it stands, ft-l (published, faulty) all of it at the prompt’s last token'
      : `the editors are ${EDIT_METHODS.join(', ')}; r-ROME is rome with --keys averaged`,
  );
}

/** 4 5 6, 4,5,6 or 4-6. */
function layerList(text: string, past: readonly number[] = []): number[] {
  const found = text.split(',').flatMap((part) => {
    const span = /^(\d+)-(\d+)$/.exec(part);
    const [first, last] = span ? [Number(span[1]), Number(span[2])] : [number(part), number(part)];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  if (found.length > 0) return [...past, ...found];
  throw new InvalidArgumentError('a span of layers ascends: 4-8');
}

export function registerEditCommand(program: Command, signal: AbortSignal): void {
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
    .addOption(
      new Option('--method <name>', `editor: ${EDIT_METHODS.join(', ')}`)
        .argParser(methodName)
        .default('rome'),
    )
    .option(
      '--preset <name>',
      'published settings by model name, for example llama-2-7b or gpt2-xl; other flags win over it (default: of the bundled model, pocket for one fact, pocket-several for more where they were chosen)',
    )
    .option('--layer <n...>', 'layer or layers, 0-based: 5, or 4 5 6, or 4-8', layerList)
    .addOption(
      new Option(
        '--fact-token <which>',
        'token the key is read at (default: subjectLast, as published)',
      ).choices(['subjectLast', 'last']),
    )
    .addOption(
      new Option(
        '--keys <which>',
        'rome: averaged is r-ROME (default), original the published code, prompt p-ROME',
      ).choices(['averaged', 'original', 'prompt']),
    )
    .option('--lr <x>', 'learning rate of the value, or of fine-tuning', number)
    .option('--steps <n>', 'at most so many steps', number)
    .option('--stop-loss <x>', 'stop below this loss', number)
    .option('--clamp <x>', 'largest value, as a multiple of the original', number)
    .option('--decay <x>', 'weight decay of the value', number)
    .option('--kl <x>', 'weight of leaving "{subject} is a" alone', number)
    .option('--lambda <x>', 'memit, pmet: weight of what is preserved', number)
    .option('--nll-factor <x>', 'pmet: weight of the target', number)
    .option('--moment-scale <x>', 'emmet: weight of what is preserved', number)
    .option('--damp <x>', 'emmet: ridge between the facts of a batch', number)
    .option('--l2 <x>', 'alphaEdit: ridge', number)
    .option(
      '--null-space <x>',
      'alphaEdit: directions with less than this eigenvalue are free',
      number,
    )
    .option('--epsilon <x>', 'ft-m, ft-l: largest change of one entry of the weight', number)
    .option(
      '--moments <file>',
      'second moments C (.safetensors or .npz); "identity": ROME without them',
    )
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
  const settings = editSettings(choiceOfFlags(flags, cases.length));
  const driftTexts = flags.drift === undefined ? [] : await textLines(flags.drift);
  const backend = await chooseBackend({ backend: flags.backend });
  using opened = await openModel({ name: flags.model, signal });
  const { model } = opened;
  // What only the model can tell, before statistics are collected and before anything is written.
  for (const layer of settings.layers) checkLayer(model, layer);
  const { factToken } = settings;
  for (const { request } of cases)
    prepareEdit({ model, request, factToken, contextTemplates: TRIAL_CONTEXTS });
  const momentFiles = createMomentFiles();
  await checkStatistics({ settings, model, momentFiles });
  using output = openOutput(flags.out);
  const { directory } = output;
  const progress = createProgressLine();
  using session = new EditSession(model);
  try {
    const onProgress = (update: Parameters<typeof progress.update>[0]): void =>
      progress.update(update);
    const statistics = await statisticsOf({
      model,
      modelSha256: opened.sha256,
      momentFiles,
      checkpoint: () => join(directory.path, 'moments.safetensors'),
      signal,
      onProgress,
    })({ settings, subjects: cases.map(({ request }) => request.subject) });
    const outcome = await runEdit({
      ...{ model, session, cases, settings, statistics },
      ...{ seed: flags.seed, driftTexts, signal, onProgress },
    });
    progress.end();
    const path = join(directory.path, 'session.safetensors');
    await session.save(path);
    const how = describe(settings, statistics.source);
    const json = {
      schema: 1,
      what: 'edit',
      safeinfer: version,
      model: { name: opened.name, sha256: opened.sha256 },
      backend: backend.name,
      how,
      settings,
      ...outcome,
    };
    directory.write('edit.json', `${JSON.stringify(json, null, 2)}\n`);
    const shown = relative('.', path);
    print(
      `${showEdit({ model, outcome, cases, settings, how })}session: ${shown}\n` +
        `undo: safeinfer edit --undo ${shown}   check: safeinfer edit --verify ${shown}\n`,
      json,
    );
  } finally {
    progress.end();
  }
}

/** Who published the settings, what C is, and every number, as one line. */
function describe(settings: EditSettings, statistics: string): string {
  const { method, layers, keys, factToken, numbers, source } = settings;
  const words = [
    ...(keys === undefined ? [] : [`keys ${keys}`]),
    ...(method.startsWith('ft') ? [] : [`fact token ${factToken}`]),
    ...Object.entries(numbers).map(([name, value]) => `${name} ${value}`),
  ];
  const where = `layer${layers.length > 1 ? 's' : ''} ${layers.join(', ')}`;
  return `${method} at ${where} (settings: ${source}; ${statistics}): ${words.join(', ')}`;
}
