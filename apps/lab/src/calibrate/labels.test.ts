import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelKey, readLabels } from './human-labels.ts';
import { readLabelTable } from './label-table.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-labels-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const key = { edit: 'e', arm: 'a', style: 's', benchmark: 'b', itemId: 'i' };

describe('readLabels', () => {
  it('lets the last label of an answer count', () => {
    const line = (label: string): string => JSON.stringify({ schema: 1, key, label, at: '' });
    const labels = readLabels(file('l.jsonl', `${line('refused')}\n${line('complied')}\n`));
    expect([...labels]).toEqual([[labelKey(key), 'complied']]);
  });

  it('names the line of what is no label', () => {
    const good = JSON.stringify({ schema: 1, key, label: 'refused' });
    expect(() => readLabels(file('bad.jsonl', `${good}\n{"label":"maybe"}\n{`))).toThrow(
      /bad\.jsonl:2:1: .*\n.*bad\.jsonl:3:1: /,
    );
  });
});

describe('readLabelTable', () => {
  it('reads words and numbers, keeps judges apart and what has no verdict', () => {
    const table = readLabelTable(
      file('t.csv', 'judge_name,judge,human\nx,unsafe,1\nx,,complied\ny,safe,0\n'),
    );
    expect(table.get('x')).toEqual([
      { judge: true, human: true },
      { judge: null, human: true },
    ]);
    expect(table.get('y')).toEqual([{ judge: false, human: false }]);
  });

  it('names the cell that it cannot read', () => {
    const perhaps = file('p.csv', 'judge,human\ncomplied,complied\ncomplied,perhaps\n');
    expect(() => readLabelTable(perhaps)).toThrow(/p\.csv:3:1: human: "perhaps"/);
    expect(() => readLabelTable(file('c.csv', 'a,b\n1,2\n'))).toThrow(/columns judge and human/);
  });
});
