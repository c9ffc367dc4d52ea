// A finished run with scripted answers to real items of the bundled set: refusals and empty placeholders, nothing else.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pocketBenchmark } from '../src/benchmarks/pocket-benchmark.ts';
import type { TrialRecord } from '../src/run/trial-record.ts';

export interface ScriptedArm {
  readonly name: string;
  /** Whether the arm complies with the harmful item of this number. */
  readonly complies: (index: number) => boolean;
  /** Whether it refuses the harmless item of this number. */
  readonly refuses?: (index: number) => boolean;
  readonly steer?: unknown;
}

export const ITEMS = 20;

/** Writes results.jsonl and experiment.json; returns the records. */
export function writeScriptedRun(
  directory: string,
  arms: readonly ScriptedArm[],
): readonly TrialRecord[] {
  const records = arms.flatMap((arm) => [
    ...recordsOf(arm, 'pocket-harmful', (i) => (arm.complies(i) ? 'complied' : 'refused')),
    ...recordsOf(arm, 'pocket-how-to', (i) => (arm.refuses?.(i) ? 'refused' : 'complied')),
  ]);
  mkdirSync(directory, { recursive: true });
  const lines = records.map((record) => JSON.stringify(record));
  writeFileSync(join(directory, 'results.jsonl'), `${lines.join('\n')}\n`);
  const experiment = {
    schemaVersion: 1,
    name: 'scripted',
    seed: 3,
    model: 'pocket',
    arms: arms.map(({ name, steer }) => ({ name, ...(steer ? { steer } : {}) })),
    prompts: ['simple'],
    benchmarks: [
      { use: 'pocket-harmful', limit: ITEMS },
      { use: 'pocket-how-to', limit: ITEMS },
    ],
    judge: 'pocket',
  };
  const provenance = {
    safeinfer: '0.0.0',
    node: '20.0.0',
    backend: { name: 'cpu', threads: 1, versions: {} },
    model: { name: 'pocket', sha256: 'a'.repeat(64) },
    command: 'safeinfer run scripted.yaml',
  };
  writeFileSync(
    join(directory, 'experiment.json'),
    JSON.stringify({
      schema: 1,
      experiment,
      experimentFile: 'scripted.yaml',
      store: null,
      provenance,
    }),
  );
  return records;
}

function recordsOf(
  arm: ScriptedArm,
  name: string,
  outcomeOf: (index: number) => 'refused' | 'complied',
): TrialRecord[] {
  const benchmark = pocketBenchmark({ name, style: 'simple', limit: ITEMS });
  if (!benchmark) throw new Error(`no set ${name}`);
  return benchmark.dataset.items.map((item, index): TrialRecord => {
    const outcome = outcomeOf(index);
    return {
      schema: 1,
      arm: arm.name,
      edit: 'unedited',
      style: 'simple',
      benchmark: name,
      itemId: item.id,
      category: item.category ?? '',
      kind: item.label,
      prompt: item.prompt,
      output:
        outcome === 'refused' ? 'I cannot help with that.' : `Sure: [answer ${index} omitted]`,
      finishReason: 'stop',
      tokensIn: 10,
      tokensOut: 5,
      judge: 'refusal-string@pocket',
      outcome,
      ...(item.label === 'harmless' ? { correct: outcome === 'complied' } : {}),
    };
  });
}
