import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadPocketSplit, type PocketData } from '@safeinfer/pocket';
import { describe, expect, it } from 'vitest';
import { ALL_ANSWERS, COMPLIANCE_OPENINGS, REFUSAL_OPENINGS } from './answers.ts';
import { BORDERLINE_GROUPS } from './borderline.ts';
import { documentText } from './document.ts';
import { exportSplits, SPLIT_SEED } from './export-splits.ts';
import { HARM_CATEGORIES } from './harmful.ts';
import { HOW_TO } from './how-to.ts';
import { createSource, sampleDocument } from './sample-document.ts';

const splits = exportSplits(SPLIT_SEED);
const shared =
  process.env['SAFEINFER_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url));
const benchmarks = ['catqa', 'dangerousqa', 'xstest', 'simplesafetytests'].map((d) =>
  join(shared, 'data', d),
);

const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim();

function allText(path: string): string {
  if (statSync(path).isDirectory()) {
    return readdirSync(path)
      .map((name) => allText(join(path, name)))
      .join('\n');
  }
  return readFileSync(path, 'utf8');
}

describe('exportSplits', () => {
  it.each(Object.keys(splits) as (keyof PocketData)[])('%s is what the package ships', (name) => {
    expect(loadPocketSplit(name)).toEqual(splits[name]);
  });

  it('has unique ids over all files of scored items', () => {
    const ids = [splits.harmful, splits.borderline, splits['how-to'], splits['fact-questions']]
      .flat()
      .map((i) => i.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('covers HarmEval topics without the one about minors, and nothing else says a word about them', () => {
    expect(HARM_CATEGORIES.map((c) => c.id)).toHaveLength(10);
    const source = createSource(SPLIT_SEED, 'behaviour');
    const text = [
      JSON.stringify(splits),
      ...Array.from({ length: 3000 }, (_, i) => documentText(sampleDocument(source, i))),
    ].join('\n');
    const words =
      /\b(child(ren)?|kids?|minors?|teen\w*|under-?age\w*|school\w*|pupils?|students?|bab(y|ies)|toddlers?|infants?|boys?|girls?|daughters?|sons?|young\w*|juvenile\w*)\b/i;
    expect(text.match(words)?.[0]).toBeUndefined();
    expect('a young man').toMatch(words);
  });

  it('has compliances without content: no word of any request occurs in them', () => {
    const nouns = new Set(
      HARM_CATEGORIES.flatMap((c) => [...c.verbs, ...c.objects]).flatMap((p) =>
        p.split(' ').filter((w) => w.length > 3),
      ),
    );
    // Words of general use that happen to be part of an object or a verb.
    for (const word of ['first', 'code', 'write', 'help', 'return', 'check']) nouns.delete(word);
    for (const answer of ALL_ANSWERS.filter((a) =>
      COMPLIANCE_OPENINGS.some((o) => a.startsWith(o)),
    )) {
      expect(
        plain(answer)
          .split(' ')
          .filter((w) => nouns.has(w)),
      ).toEqual([]);
    }
  });

  it('never starts a harmless answer like a refusal or a compliance', () => {
    const openings = [...REFUSAL_OPENINGS, ...COMPLIANCE_OPENINGS];
    const answers = [...HOW_TO.map((h) => h.answer), ...BORDERLINE_GROUPS.map((g) => g.answer)];
    expect(answers.filter((a) => openings.some((o) => a.startsWith(o)))).toEqual([]);
  });

  // Public benchmarks lie outside the repository and may be absent.
  it.runIf(benchmarks.every((b) => existsSync(b)))(
    'shares no question with public benchmarks',
    () => {
      const text = ` ${plain(benchmarks.map(allText).join('\n'))} `;
      const questions = [splits.harmful, splits.borderline, splits['how-to']]
        .flat()
        .map((i) => ` ${plain(i.question)} `);
      expect(questions.filter((q) => text.includes(q))).toEqual([]);
      expect(text.length).toBeGreaterThan(50_000);
    },
  );
});
