import { describe, expect, it } from 'vitest';
import type { PocketData } from './items.ts';
import {
  loadPocketSplit,
  parsePocketRows,
  pocketDemonstrations,
  pocketFacts,
} from './load-pocket-split.ts';
import { ROW_SCHEMAS } from './row-schema.ts';

const names = Object.keys(ROW_SCHEMAS) as (keyof PocketData)[];

describe('the bundled data', () => {
  it.each(names)('%s passes every row check', (name) => {
    expect(loadPocketSplit(name).length).toBeGreaterThan(5);
  });

  it('has at least 220 test items of every kind that is scored', () => {
    const harmful = loadPocketSplit('harmful', 'test');
    for (const style of ['simple', 'instruction', 'instruction-cot']) {
      expect(harmful.filter((i) => i.style === style).length).toBeGreaterThanOrEqual(220);
    }
    const borderline = loadPocketSplit('borderline', 'test').filter((i) => i.style === 'simple');
    expect(borderline.filter((i) => i.unseen === 'pair').length).toBeGreaterThanOrEqual(220);
    expect(borderline.filter((i) => i.unseen === 'object').length).toBeGreaterThanOrEqual(220);
    expect(loadPocketSplit('how-to', 'test').length).toBeGreaterThanOrEqual(220);
    expect(loadPocketSplit('fact-questions', 'test').length).toBeGreaterThanOrEqual(220);
    const kinds = loadPocketSplit('attacks').map((a) => a.kind);
    for (const kind of ['many-shot-chat', 'many-shot-raw', 'never-refuse']) {
      expect(kinds.filter((k) => k === kind).length).toBeGreaterThanOrEqual(220);
    }
  });

  it('never shares a harmful action or a borderline pair between splits', () => {
    for (const name of ['harmful', 'borderline'] as const) {
      const splits = new Map<string, Set<string>>();
      for (const { action, split } of loadPocketSplit(name)) {
        splits.set(action, (splits.get(action) ?? new Set()).add(split));
      }
      expect([...splits].filter(([, s]) => s.size > 1)).toEqual([]);
    }
  });

  it('gives facts as edit requests', () => {
    const france = pocketFacts().find((f) => f.id === 'fact:capital/France');
    expect(france?.prompt).toBe('The capital of {} is');
    expect(france?.target_true).toBe('Paris');
    expect(france?.target_new).not.toBe('Paris');
    for (const fact of pocketFacts()) {
      expect(fact.neighbourhood.some((n) => n.target === fact.target_true)).toBe(false);
      expect(fact.neighbourhood.length).toBeGreaterThanOrEqual(6);
    }
  });

  it('gives demonstrations by behaviour, from the vector split only', () => {
    const test = new Set(loadPocketSplit('harmful', 'test').map((i) => i.action));
    const harmful = new Map(loadPocketSplit('harmful').map((i) => [i.id, i.action]));
    for (const behaviour of ['refuse', 'comply'] as const) {
      const demos = pocketDemonstrations(behaviour);
      expect(demos.length).toBeGreaterThanOrEqual(200);
      for (const d of demos) expect(test.has(harmful.get(d.itemId) ?? '')).toBe(false);
    }
  });
});

describe('parsePocketRows', () => {
  const good = '{"id":"a","effect":"neutral","split":"train","text":"Be short."}';

  it('names the line of bad JSON, of a bad field and of a repeated id', () => {
    const bad = (content: string) => () => parsePocketRows('system-prompts', content);
    expect(bad(`${good}\n{`)).toThrow(/line 2: not JSON/);
    expect(bad(`${good.replace('neutral', 'loud')}\n`)).toThrow(/line 1: field 'effect'/);
    expect(bad(`${good}\nnull\n`)).toThrow(/line 2: field 'id'/);
    expect(bad(`${good}\n${good}\n`)).toThrow(/'a' occurs twice/);
    expect(parsePocketRows('system-prompts', `${good}\n`)).toHaveLength(1);
  });

  it('refuses an unknown file and an empty split', () => {
    expect(() => loadPocketSplit('nothing' as 'facts')).toThrowError(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
    expect(() => loadPocketSplit('how-to', 'train' as 'test')).toThrowError(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });
});
