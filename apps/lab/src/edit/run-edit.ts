// Edits a model as `safeinfer edit` was told, looking at it before and after.
import {
  type AlarmKind,
  asCounterFact,
  type CounterFactSummary,
  contextTemplates,
  type EditCase,
  type EditRecord,
  type EditSession,
  scoreCounterFact,
  summariseCounterFact,
} from '@safeinfer/editing';
import type { Transformer } from '@safeinfer/transformer';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import { METHOD_NEEDS } from './edit-choice.ts';
import { editMethod } from './edit-method.ts';
import type { EditSettings } from './edit-settings.ts';
import type { EditStatistics } from './edit-statistics.ts';
import { type ProbeResult, probeAll, probesOf } from './probe-prompts.ts';
import { changedWeights, weightHashes } from './weight-hashes.ts';

export interface EditOutcome {
  readonly records: readonly EditRecord[];
  readonly probes: readonly ProbeResult[];
  /** CounterFact's summary before and after, for facts whose true object is known. */
  readonly counterFact?: {
    readonly before: CounterFactSummary;
    readonly after: CounterFactSummary;
  };
  /** Openings that the prompt was edited behind; of fine-tuning none. */
  readonly templates: readonly string[];
  /** SHA-256 of each changed weight. */
  readonly weights: readonly {
    readonly name: string;
    readonly before: string;
    readonly after: string;
  }[];
}

/** Alternatives shown for a prompt. */
const SHOWN = 3;

/** One fact a call for ROME and fine-tuning, all at once for the others. The session keeps the edits in force. */
export async function runEdit(options: {
  readonly model: Transformer;
  readonly session: EditSession;
  readonly cases: readonly EditCase[];
  /** Of the context templates. */
  readonly seed: number;
  readonly settings: EditSettings;
  readonly statistics: EditStatistics;
  readonly driftTexts: readonly string[];
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
}): Promise<EditOutcome> {
  const { model, session, cases, settings, statistics, signal, onProgress } = options;
  const probes = cases.flatMap(probesOf);
  const comparable = cases.flatMap((one) => asCounterFact(one) ?? []);
  const summary = async (): Promise<CounterFactSummary | undefined> =>
    comparable.length === 0
      ? undefined
      : summariseCounterFact(await scoreCounterFact(model, comparable, { signal }));
  const hashesBefore = await weightHashes(model);
  const before = await probeAll(model, probes, SHOWN);
  const summaryBefore = await summary();
  const needs = METHOD_NEEDS[settings.method];
  // Fine-tuning reads the bare prompt alone.
  const templates =
    needs.moments === 'none'
      ? []
      : await contextTemplates({ model, seed: options.seed, style: 'memit', lengths: [[10, 5]] });
  const method = editMethod({
    settings,
    moments: statistics.moments,
    contextTemplates: templates,
  });
  const single = needs.oneFact;
  const groups = single ? cases.map((one) => [one]) : [cases];
  const records: EditRecord[] = [];
  for (const [i, group] of groups.entries()) {
    const record = await session.edit(
      group.map(({ id, request }) => ({ ...request, id })),
      method,
      {
        id: single ? group[0]!.id : settings.method,
        driftTexts: options.driftTexts,
        signal,
        onProgress: ({ phase, done, total }) =>
          onProgress({ phase: `edit: ${phase}`, done, total }),
      },
    );
    records.push(record);
    if (single) onProgress({ phase: 'edit', done: i + 1, total: groups.length });
  }
  const after = await probeAll(model, probes, SHOWN);
  const summaryAfter = await summary();
  const hashesAfter = await weightHashes(model);
  return {
    records,
    probes: probes.map((probe, i) => ({ ...probe, before: before[i]!, after: after[i]! })),
    ...(summaryBefore && summaryAfter
      ? { counterFact: { before: summaryBefore, after: summaryAfter } }
      : {}),
    templates,
    weights: changedWeights(hashesBefore, hashesAfter).map((name) => ({
      name,
      before: hashesBefore.get(name)!,
      after: hashesAfter.get(name)!,
    })),
  };
}

/** Alarms of every edit, in words. */
export function alarmLines(records: readonly EditRecord[]): string[] {
  return records.flatMap(({ id, alarms }) =>
    alarms.map(
      ({ kind, message }: { readonly kind: AlarmKind; readonly message: string }) =>
        `${id}: ${kind}: ${message}`,
    ),
  );
}
