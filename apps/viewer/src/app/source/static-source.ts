// Data from the files of an export. Filters run here, over the index; texts come in pieces as they are shown.
import { disagreementQueue } from '../../query/disagreements.ts';
import { findItem, itemRow } from '../../query/item-row.ts';
import { unpackIndex } from '../../query/packed-index.ts';
import type { RunIndex } from '../../query/run-index.ts';
import { selectItems } from '../../query/select-items.ts';
import type { ItemRow, TrialView } from '../../schema/api.ts';
import {
  type ExportedItem,
  type ExportedRun,
  type ExportedSite,
  type ExportedTrial,
  type MaskableText,
  visibleText,
} from '../../schema/export.ts';
import type { DataSource } from './data-source.ts';
import { loadScript } from './load-script.ts';

interface OpenRun {
  readonly folder: string;
  readonly exported: ExportedRun;
  readonly index: RunIndex;
}

export function staticSource(): DataSource {
  let revealable = false;
  const open = new Map<string, Promise<OpenRun>>();

  const site = async (): Promise<ExportedSite> => {
    const found = await loadScript<ExportedSite>('site');
    revealable = found.revealable;
    return found;
  };
  const openRun = (id: string): Promise<OpenRun> => {
    const known = open.get(id);
    if (known) return known;
    const pending = site().then(async ({ runs }) => {
      const folder = runs.find(({ summary }) => summary.id === id)?.folder;
      if (folder === undefined) throw new Error(`The export has no run named ${id}.`);
      const exported = await loadScript<ExportedRun>(`${folder}/run`);
      return { folder, exported, index: unpackIndex(exported.index) };
    });
    open.set(id, pending);
    return pending;
  };

  return {
    live: false,
    canReveal: () => revealable,
    runs: async () => (await site()).runs.map(({ summary }) => summary),
    run: async (id) => (await openRun(id)).exported.detail,
    async items(id, { query, offset, limit, reveal }) {
      const run = await openRun(id);
      const matching = query.q ? await itemsWithText(run, query.q) : undefined;
      const selected = selectItems(run.index, query, matching);
      const page = selected.slice(offset, offset + limit);
      const rows = await Promise.all(page.map((item) => rowOf(run, item, reveal)));
      return { total: selected.length, offset, rows };
    },
    async item(id, { key, reveal }) {
      const run = await openRun(id);
      const item = requireItem(run, key);
      const { redacted, trials } = await itemOf(run, item);
      return {
        row: await rowOf(run, item, reveal),
        redacted,
        trials: trials.map((trial) => trialView(trial, reveal)),
      };
    },
    async tokens(id, { key, reveal }) {
      const run = await openRun(id);
      const item = requireItem(run, key);
      const { trials } = await itemOf(run, item);
      const trial = trials.find(({ edit, arm }) => edit === key.edit && arm === key.arm);
      if (!trial) throw new Error(`Arm ${key.arm} of edit ${key.edit} has no answer here.`);
      const { prompt } = await rowOf(run, item, reveal);
      const { masked } = visibleText(trial.output, reveal);
      const tokens = (trial.tokens ?? []).map((token) => (masked ? withoutText(token) : token));
      return { trial: trialView(trial, reveal), prompt, masked, tokens };
    },
    heads: async (id, name) => loadScript(`${(await openRun(id)).folder}/heads-${name}`),
    trace: async (id, name) => loadScript(`${(await openRun(id)).folder}/trace-${name}`),
    async queue(id, { reason, offset, limit, reveal }) {
      const run = await openRun(id);
      const all = disagreementQueue(run.index).filter(
        (entry) => reason === undefined || entry.reason === reason,
      );
      const entries = await Promise.all(
        all.slice(offset, offset + limit).map(async (entry) => {
          const row = await rowOf(run, entry.item, reveal);
          const { edit, arm } = run.index.columns[entry.column]!;
          const { trials } = await itemOf(run, entry.item);
          const trial = trials.find((t) => t.edit === edit && t.arm === arm)!;
          const { style, benchmark, itemId, category, kind, prompt, masked } = row;
          return {
            key: { edit, arm, style, benchmark, itemId },
            reason: entry.reason,
            category,
            kind,
            prompt,
            masked,
            output: visibleText(trial.output, reveal).text,
            outcome: trial.outcome,
            verdicts: trial.verdicts ?? [],
            label: null,
          };
        }),
      );
      return { total: all.length, labelled: 0, offset, entries };
    },
    label: () => Promise.reject(new Error('An export cannot store labels; use safeinfer view.')),
  };
}

async function rowOf(run: OpenRun, item: number, reveal: boolean): Promise<ItemRow> {
  const { itemsPerText } = run.exported;
  const texts = await loadScript<readonly MaskableText[]>(
    `${run.folder}/text-${Math.floor(item / itemsPerText)}`,
  );
  const { text, masked } = visibleText(texts[item % itemsPerText] ?? {}, reveal);
  return itemRow({ index: run.index, item, prompt: text, masked });
}

async function itemOf(run: OpenRun, item: number): Promise<ExportedItem> {
  const { trialStarts } = run.exported;
  const file = trialStarts.findLastIndex((start) => start <= item);
  const items = await loadScript<readonly ExportedItem[]>(`${run.folder}/trials-${file}`);
  const found = items[item - (trialStarts[file] ?? 0)];
  if (!found) throw new Error('The export lacks this item.');
  return found;
}

function trialView(trial: ExportedTrial, reveal: boolean): TrialView {
  const { tokens: _, output, ...rest } = trial;
  return { ...rest, output: visibleText(output, reveal).text };
}

function withoutText<T extends { readonly alternatives: readonly { readonly logprob: number }[] }>(
  token: T,
): T {
  return {
    ...token,
    text: '',
    alternatives: token.alternatives.map(({ logprob }) => ({ text: '', logprob })),
  };
}

function requireItem(run: OpenRun, key: Parameters<typeof findItem>[1]): number {
  const item = findItem(run.index, key);
  if (item < 0) throw new Error(`The run has no item ${key.itemId} in ${key.benchmark}.`);
  return item;
}

/** Questions and item ids only: the answers of an export are not read for a search. */
async function itemsWithText(run: OpenRun, q: string): Promise<ReadonlySet<number>> {
  const wanted = q.toLowerCase();
  const found = new Set<number>();
  const { itemsPerText } = run.exported;
  const { itemIds } = run.index;
  for (let start = 0; start < itemIds.length; start += itemsPerText) {
    const texts = await loadScript<readonly MaskableText[]>(
      `${run.folder}/text-${start / itemsPerText}`,
    );
    texts.forEach(({ masked, full }, i) => {
      const text = `${full ?? masked ?? ''}\n${itemIds[start + i]}`.toLowerCase();
      if (text.includes(wanted)) found.add(start + i);
    });
  }
  return found;
}
