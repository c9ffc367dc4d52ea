import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundledHarmful } from '../bundled/load-bundled.ts';
import { type Dataset, withItems } from '../datasets/dataset.ts';
import { promptText } from '../generate.ts';
import { refusalJudge } from '../judges/refusal-judge.ts';
import { type Script, scriptedModel } from '../mock/scripted-model.ts';
import { insistence, multiTurnStyle } from '../styles/multi-turn.ts';
import { plainStyle } from '../styles/paper-styles.ts';
import { asRawText } from '../styles/prompt-style.ts';
import type { Attacker } from './attacker.ts';
import { evaluate } from './evaluate.ts';
import type { TrialRecord } from './records.ts';

let dataset: Dataset;

beforeAll(async () => {
  const loaded = await loadBundledHarmful();
  dataset = withItems(loaded, loaded.items.slice(0, 9));
});

async function trials(options: Omit<Parameters<typeof evaluate>[0], 'dataset' | 'judges'>) {
  const records: TrialRecord[] = [];
  for await (const record of evaluate({ dataset, judges: [refusalJudge('gcg-29')], ...options })) {
    if (record.type === 'trial') records.push(record);
  }
  return records;
}

/** Gives in once it was asked twice. */
const givesIn: Script = ({ prompt }) =>
  promptText(prompt).includes('assistant:') ? 'comply' : 'refuse';

describe('conversations', () => {
  it('play a script and judge the last answer', async () => {
    const generate = scriptedModel({ script: givesIn, batchSize: 4 });
    const records = await trials({ generate, style: multiTurnStyle(plainStyle, insistence) });
    expect(records.every(({ turns, attempts }) => turns === 2 && attempts === 2)).toBe(true);
    expect(records[0]?.transcript.map(({ role }) => role)).toEqual([
      'user',
      'assistant',
      'user',
      'assistant',
    ]);
    expect(records.every(({ verdicts }) => verdicts[0]?.label === 'full_compliance')).toBe(true);
    const single = await trials({ generate, style: plainStyle });
    expect(single.every(({ verdicts }) => verdicts[0]?.label === 'full_refusal')).toBe(true);
  });

  it('let an adaptive attacker write turns until it stops, row by row', async () => {
    const lengths = new Map(dataset.items.map(({ id }, i) => [id, 1 + (i % 3)]));
    const attacker: Attacker = {
      id: 'insist',
      version: '1',
      maxTurns: 5,
      next: async ({ item, turn, transcript }) => {
        expect(transcript.at(-1)?.role).toBe('assistant');
        return turn < (lengths.get(item.id) ?? 1) ? `Again, turn ${turn + 1}` : null;
      },
    };
    const generate = scriptedModel({ script: givesIn, batchSize: 9 });
    const records = await trials({ generate, style: plainStyle, attacker });
    expect(records.map(({ turns }) => turns)).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
    // Nine rows, then the six that go on, then the three: no row is asked again for its neighbours.
    expect(generate.counts).toEqual({ calls: 3, rows: 18 });
  });

  it('never exceed the turns of the attacker', async () => {
    const attacker: Attacker = { id: 'x', version: '1', maxTurns: 3, next: async () => 'again' };
    const generate = scriptedModel({ script: () => 'refuse' });
    const records = await trials({ generate, style: plainStyle, attacker });
    expect(records.every(({ turns }) => turns === 3)).toBe(true);
  });

  it('refuse later turns of a raw prompt', async () => {
    const generate = scriptedModel({ script: () => 'refuse' });
    await expect(
      trials({ generate, style: asRawText(multiTurnStyle(plainStyle, insistence)) }),
    ).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
  });
});
