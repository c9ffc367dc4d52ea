// Writes the viewer and its runs as plain files that need no server; harmful text stays out unless asked for.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import {
  causalTraceSchema,
  DATA_CALLBACK,
  type ExportedItem,
  type ExportedRun,
  type ExportedSite,
  headMapSchema,
  type MaskableText,
  packIndex,
  STATIC_SOURCE,
  type TrialRecord,
} from '@safeinfer/viewer';
import { policyForMarkup } from './loopback-guard.ts';
import { maskable, shownTrace, withoutText } from './maskable.ts';
import { type OpenRun, openRuns } from './open-runs.ts';
import { jsonNames, readJson } from './run-files.ts';
import { recordsOf, trialView } from './run-pages.ts';
import { readSite } from './site-files.ts';

/** Questions in one text file: a list shows a hundred at once, a search reads them all. */
const ITEMS_PER_TEXT = 500;
/** Characters of answers in one file, about; a page waits for one such file. */
const TRIALS_LENGTH = 400_000;
/** Marks a directory as an export, which the next export may replace. */
const MARKER = join('data', 'site.js');

/**
 * @returns the directory, filled completely or not at all.
 * @throws IO when it exists and is no earlier export.
 */
export async function exportSite(options: {
  readonly directory: string;
  readonly target: string;
  readonly showHarmful: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}): Promise<string> {
  const target = resolve(options.target);
  checkTarget(target);
  const runs = openRuns(options.directory);
  const summaries = await runs.list();
  const partial = `${target}.partial`;
  rmSync(partial, { recursive: true, force: true });
  try {
    await writePages(partial);
    const exported: ExportedSite['runs'][number][] = [];
    for (const [i, summary] of summaries.entries()) {
      const folder = `run-${i}`;
      const run = await runs.open(summary.id);
      await writeRun({ ...options, run, folder, place: partial });
      exported.push({ folder, summary });
    }
    const site: ExportedSite = { runs: exported, revealable: options.showHarmful };
    writeData(partial, 'site', site);
    rmSync(target, { recursive: true, force: true });
    mkdirSync(dirname(target), { recursive: true });
    renameSync(partial, target);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return target;
}

function checkTarget(target: string): void {
  if (!existsSync(target)) return;
  if (existsSync(join(target, MARKER))) return;
  if (readdirSync(target).length === 0) return;
  throw new SafeInferError(`${target} exists and is no earlier export`, {
    code: 'IO',
    hint: 'name a new or empty directory with --export',
  });
}

async function writePages(place: string): Promise<void> {
  for (const { path, content } of await readSite()) {
    const page = content
      .replace(
        'name="safeinfer-source" content="api"',
        `name="safeinfer-source" content="${STATIC_SOURCE}"`,
      )
      .replace('<meta charset="utf-8" />', (charset) => {
        return `${charset}\n    <meta http-equiv="Content-Security-Policy" content="${policyForMarkup()}" />`;
      });
    write(join(place, path), path.endsWith('.html') ? page : content);
  }
}

async function writeRun(options: {
  readonly run: OpenRun;
  readonly folder: string;
  readonly place: string;
  readonly showHarmful: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}): Promise<void> {
  const { run, folder, place, showHarmful, signal } = options;
  const { index } = run.results;
  const total = index.itemIds.length;
  const trialStarts: number[] = [];
  let texts: MaskableText[] = [];
  let items: ExportedItem[] = [];
  let length = 0;
  const writeTexts = (end: number): void => {
    writeData(place, `${folder}/text-${Math.ceil(end / ITEMS_PER_TEXT) - 1}`, texts);
    texts = [];
  };
  const writeTrials = (): void => {
    writeData(place, `${folder}/trials-${trialStarts.length - 1}`, items);
    items = [];
    length = 0;
  };
  if (total > 0) {
    await run.results.reading(async (reader) => {
      for (let item = 0; item < total; item += 1) {
        if (signal.aborted) {
          throw new SafeInferError('the export was interrupted', {
            code: 'ABORTED',
            hint: 'nothing was written; run it again',
          });
        }
        const records = await recordsOf(run, reader, item);
        const { redacted, prompt } = maskable(records[0]!);
        texts.push(kept(prompt, showHarmful));
        if (items.length === 0) trialStarts.push(item);
        const trials = records.map((record) => exportedTrial(record, showHarmful));
        items.push({ item, redacted, trials });
        length += JSON.stringify(trials).length;
        if (texts.length === ITEMS_PER_TEXT) writeTexts(item + 1);
        if (length >= TRIALS_LENGTH) writeTrials();
        options.onProgress(item + 1, total);
      }
    });
  }
  if (texts.length > 0) writeTexts(total);
  if (items.length > 0) writeTrials();
  for (const name of await jsonNames(join(run.directory, 'heads'))) {
    const map = await readJson(join(run.directory, 'heads', `${name}.json`), headMapSchema);
    if (map) writeData(place, `${folder}/heads-${name}`, map);
  }
  for (const name of await jsonNames(join(run.directory, 'traces'))) {
    const trace = await readJson(join(run.directory, 'traces', `${name}.json`), causalTraceSchema);
    if (trace) writeData(place, `${folder}/trace-${name}`, shownTrace(trace));
  }
  const exported: ExportedRun = {
    detail: await run.detail(),
    index: packIndex(index),
    itemsPerText: ITEMS_PER_TEXT,
    trialStarts,
  };
  writeData(place, `${folder}/run`, exported);
}

function exportedTrial(record: TrialRecord, showHarmful: boolean): ExportedItem['trials'][number] {
  const output = kept(maskable(record).output, showHarmful);
  const tokens = record.tokens ?? [];
  return {
    ...trialView(record, ''),
    output,
    ...(tokens.length === 0
      ? {}
      : { tokens: output.full === undefined ? withoutText(tokens) : tokens }),
  };
}

/** A text that needs masking loses its full form, so that the files do not hold it at all. */
function kept({ masked, full }: MaskableText, showHarmful: boolean): MaskableText {
  if (masked === undefined) return full === undefined ? {} : { full };
  return showHarmful && full !== undefined ? { masked, full } : { masked };
}

function writeData(place: string, key: string, value: unknown): void {
  const script = `${DATA_CALLBACK}(${JSON.stringify(key)},${JSON.stringify(value)});\n`;
  write(join(place, 'data', `${key}.js`), script);
}

function write(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
