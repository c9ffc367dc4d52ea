// Does one unit: every turn of every conversation of its batch, collected and not yet stored.
import { type Dataset, evaluate, type Generate, testOnly } from '@safeinfer/harmeval';
import { withArmSystemPrompt } from '../arms/system-prompt.ts';
import type { Store } from '../store/open-store.ts';
import { type Collected, collected, collectingGenerate } from '../store/stored-generate.ts';
import { renderedStyle, type Unit } from './unit.ts';

/** @throws what stops a run: an abort, a number that is not finite. A row that cannot be answered is a failure inside. */
export async function runUnit(options: {
  readonly unit: Unit;
  /** The arm's own generator, without store and system prompt. */
  readonly generate: Generate;
  readonly systemPrompt: string | undefined;
  readonly store: Pick<Store, 'get' | 'failure'> | undefined;
  readonly signal: AbortSignal;
}): Promise<Collected> {
  const { unit, signal } = options;
  const into = collected();
  const generate = withArmSystemPrompt(
    collectingGenerate({
      generate: options.generate,
      context: unit.context,
      store: options.store,
      into,
    }),
    options.systemPrompt,
  );
  const records = evaluate({
    generate,
    dataset: unitDataset(unit),
    style: renderedStyle(unit.trials),
    judges: [],
    // A local model fails the same way each time: a retry would only hide the reason.
    retry: { retries: 0, attemptTimeoutMs: 0 },
    signal,
  });
  for await (const record of records) {
    if (record.type === 'trial' && into.fatal !== undefined) throw into.fatal;
  }
  if (into.fatal !== undefined) throw into.fatal;
  return into;
}

function unitDataset({ trials }: Unit): Dataset {
  const items = trials.map(({ item }) => item);
  const name = items[0]?.dataset ?? 'unit';
  return {
    name,
    revision: '',
    licence: { id: '', redistributable: false },
    split: testOnly(name),
    items,
    report: {
      sha256: '',
      edition: '',
      verified: 'none',
      rowsInFiles: items.length,
      droppedMinors: 0,
      droppedEmpty: 0,
      droppedDuplicates: 0,
    },
  };
}
