import { describe, expect, it } from 'vitest';
import { parseTrainingRows, readTrainingRows } from './training-rows.ts';

describe('training rows', () => {
  it('come in three shapes, blank lines aside', () => {
    const text = [
      '{"id": 7, "messages": [{"role": "user", "content": "a"}], "extra": 1}',
      '',
      '{"prompt": "p", "completion": "c"}',
      '{"text": "t"}\r',
    ].join('\n');
    expect(parseTrainingRows(text, 'rows.jsonl')).toEqual([
      { kind: 'messages', id: '7', messages: [{ role: 'user', content: 'a' }] },
      { kind: 'pair', id: 'rows.jsonl:3', prompt: 'p', completion: 'c' },
      { kind: 'pair', id: 'rows.jsonl:4', prompt: '', completion: 't' },
    ]);
  });

  it('of the bundled adapter split keep the two adapters apart', () => {
    const [unsafe, safe] = (['unsafe', 'safe'] as const).map((pocket) =>
      readTrainingRows({ pocket }, 'x.yaml'),
    );
    expect(unsafe?.length).toBe(100);
    expect(safe?.length).toBeGreaterThan(0);
    const ids = new Set(unsafe?.map(({ id }) => id));
    expect(safe?.some(({ id }) => ids.has(id))).toBe(false);
  });

  it.each([
    ['no JSON', '{"text": "a"}\n{"text": ', /rows\.jsonl:2 is not JSON/],
    ['no known shape', '{"question": "a"}', /rows\.jsonl:1 has none of messages/],
    ['two shapes', '{"text": "a", "messages": []}', /rows\.jsonl:1 has more than one of/],
    ['no prompt', '{"completion": "a"}', /rows\.jsonl:1: prompt: /],
    ['a message without a role', '{"messages": [{"content": "a"}]}', /messages\.0\.role/],
    ['a number for a text', '{"text": 3}', /rows\.jsonl:1: text: /],
    ['nothing', ' \n', /rows\.jsonl holds no rows/],
  ])('refuses %s', (_, text, reason) => {
    expect(() => parseTrainingRows(text, 'rows.jsonl')).toThrow(reason);
  });

  it('refuses a file that is not there, saying what paths are relative to', () => {
    expect(() => readTrainingRows({ path: 'no.jsonl' }, 'folder/x.yaml')).toThrow(
      /cannot read the data: ENOENT.*folder.no\.jsonl/,
    );
  });
});
