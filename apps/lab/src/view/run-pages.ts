// What the pages ask of one run: some rows, one item, one answer's tokens, a stretch of the queue.
import {
  type DisagreementReason,
  type ItemDetail,
  type ItemPage,
  type ItemQuery,
  itemRow,
  type Label,
  type QueueEntry,
  type QueuePage,
  selectItems,
  type TokenDetail,
  type TrialKey,
  type TrialRecord,
  type TrialView,
  visibleText,
} from '@safeinfer/viewer';
import { maskable, withoutText } from './maskable.ts';
import type { OpenRun } from './open-runs.ts';
import type { RecordReader } from './results-file.ts';
import { ViewError } from './view-error.ts';

export interface Stretch {
  readonly offset: number;
  readonly limit: number;
  readonly reveal: boolean;
}

export async function itemPage(
  { results }: OpenRun,
  { query, offset, limit, reveal }: Stretch & { readonly query: ItemQuery },
): Promise<ItemPage> {
  const matching = query.q === undefined ? undefined : results.itemsWithText(query.q);
  const selected = selectItems(results.index, query, matching);
  const shown = selected.slice(offset, offset + limit);
  if (shown.length === 0) return { total: selected.length, offset, rows: [] };
  const rows = await results.reading((reader) =>
    Promise.all(
      shown.map(async (item) => {
        const { prompt } = maskable(await reader.anyRecord(item));
        const { text, masked } = visibleText(prompt, reveal);
        return itemRow({ index: results.index, item, prompt: text, masked });
      }),
    ),
  );
  return { total: selected.length, offset, rows };
}

export async function itemDetail(
  run: OpenRun,
  options: { readonly key: Omit<TrialKey, 'edit' | 'arm'>; readonly reveal: boolean },
): Promise<ItemDetail> {
  const { index } = run.results;
  const item = requireItem(run, options.key);
  return run.results.reading(async (reader) => {
    const records = await recordsOf(run, reader, item);
    const first = maskable(records[0]!);
    const { text, masked } = visibleText(first.prompt, options.reveal);
    return {
      row: itemRow({ index, item, prompt: text, masked }),
      redacted: first.redacted,
      trials: records.map((record) =>
        trialView(record, visibleText(maskable(record).output, options.reveal).text),
      ),
    };
  });
}

export async function tokenDetail(
  run: OpenRun,
  options: { readonly key: TrialKey; readonly reveal: boolean },
): Promise<TokenDetail> {
  const record = await requireRecord(run, options.key);
  const { prompt, output } = maskable(record);
  const shown = visibleText(output, options.reveal);
  const tokens = record.tokens ?? [];
  return {
    trial: trialView(record, shown.text),
    prompt: visibleText(prompt, options.reveal).text,
    masked: shown.masked,
    tokens: shown.masked ? withoutText(tokens) : tokens,
  };
}

export async function queuePage(
  run: OpenRun,
  options: Stretch & {
    readonly reason: DisagreementReason | undefined;
    readonly labelled: boolean;
  },
): Promise<QueuePage> {
  const { results } = run;
  const { index } = results;
  const labels = await labelsByPlace(run);
  const all = run
    .queue()
    .filter(({ reason }) => options.reason === undefined || reason === options.reason);
  const place = (item: number, column: number): number => item * index.columns.length + column;
  const waiting = all.filter(({ item, column }) => !labels.has(place(item, column)));
  const listed = options.labelled ? all : waiting;
  const shown = listed.slice(options.offset, options.offset + options.limit);
  const entries = await withReader(run, shown.length > 0, (reader) =>
    Promise.all(
      shown.map(async ({ item, column, reason }): Promise<QueueEntry> => {
        const record = (await reader.record(item, column))!;
        const { prompt, output } = maskable(record);
        const question = visibleText(prompt, options.reveal);
        const answer = visibleText(output, options.reveal);
        return {
          key: trialKey(record),
          reason,
          category: record.category,
          kind: record.kind,
          prompt: question.text,
          output: answer.text,
          masked: question.masked || answer.masked,
          outcome: record.outcome,
          verdicts: (record.verdicts ?? []).map(({ judge, outcome }) => ({ judge, outcome })),
          label: labels.get(place(item, column)) ?? null,
        };
      }),
    ),
  );
  const labelled = all.length - waiting.length;
  return { total: listed.length, labelled, offset: options.offset, entries };
}

/** @throws 404 when the run has no such trial. */
export async function requireRecord(run: OpenRun, key: TrialKey): Promise<TrialRecord> {
  const item = requireItem(run, key);
  const column = run.results.index.columns.findIndex(
    ({ edit, arm }) => edit === key.edit && arm === key.arm,
  );
  const record = await run.results.reading((reader) => reader.record(item, column));
  if (!record) {
    throw new ViewError(404, `arm ${key.arm} of edit ${key.edit} has no answer to this item`);
  }
  return record;
}

export async function recordsOf(
  { results }: OpenRun,
  reader: RecordReader,
  item: number,
): Promise<TrialRecord[]> {
  const columns = results.index.columns.map((_, column) => reader.record(item, column));
  return (await Promise.all(columns)).filter((record) => record !== undefined);
}

export function trialView(record: TrialRecord, output: string): TrialView {
  const { schema: _, tokens, prompt: __, ...rest } = record;
  return { ...rest, output, hasTokens: (tokens?.length ?? 0) > 0 };
}

function requireItem(run: OpenRun, key: Omit<TrialKey, 'edit' | 'arm'>): number {
  const item = run.results.find(key);
  if (item === undefined) {
    throw new ViewError(404, `no item ${key.itemId} in ${key.benchmark}, style ${key.style}`);
  }
  return item;
}

function trialKey({ edit, arm, style, benchmark, itemId }: TrialRecord): TrialKey {
  return { edit, arm, style, benchmark, itemId };
}

async function labelsByPlace(run: OpenRun): Promise<ReadonlyMap<number, Label>> {
  const { index, find } = run.results;
  const places = new Map<number, Label>();
  for (const { key, label } of (await run.labels.read()).values()) {
    const item = find(key);
    const column = index.columns.findIndex(({ edit, arm }) => edit === key.edit && arm === key.arm);
    if (item !== undefined && column >= 0) places.set(item * index.columns.length + column, label);
  }
  return places;
}

function withReader<T>(
  { results }: OpenRun,
  needed: boolean,
  use: (reader: RecordReader) => Promise<T[]>,
): Promise<T[]> {
  return needed ? results.reading(use) : Promise.resolve([]);
}
