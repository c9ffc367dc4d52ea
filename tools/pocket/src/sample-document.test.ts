import { describe, expect, it } from 'vitest';
import { documentText } from './document.ts';
import { exportSplits } from './export-splits.ts';
import { QUESTIONS, STATEMENTS } from './fact-phrasings.ts';
import { createSource, sampleDocument } from './sample-document.ts';
import { SYSTEM_PROMPTS } from './system-prompts.ts';

const COUNT = 6000;
const source = createSource(7, 'behaviour');
const texts = Array.from({ length: COUNT }, (_, i) => documentText(sampleDocument(source, i)));
const joined = texts.join('\n');

describe('sampleDocument', () => {
  it('is a function of seed and index', () => {
    for (const i of [0, 17, 5999]) {
      expect(sampleDocument(createSource(7, 'behaviour'), i)).toEqual(sampleDocument(source, i));
    }
    const other = createSource(8, 'behaviour');
    const changed = texts.filter((t, i) => documentText(sampleDocument(other, i)) !== t);
    expect(changed.length).toBeGreaterThan(COUNT * 0.95);
  });

  it('contains no held-out question, action or system prompt', () => {
    const splits = exportSplits(7);
    const seen = new Set<string>();
    // Questions end in the text where the end token or a line break does.
    for (const part of joined.split(/<\|[a-z]+\|>|\n/)) seen.add(part.replace(/^Q:/, '').trim());
    const heldOut = [
      ...splits.harmful.filter((i) => i.split !== 'train'),
      ...splits.borderline.filter((i) => i.split !== 'train'),
      ...splits['how-to'],
      ...splits['fact-questions'],
    ];
    expect(heldOut.filter((i) => seen.has(i.question)).map((i) => i.id)).toEqual([]);
    for (const action of heldOut.flatMap((i) => ('verb' in i ? [i.action] : []))) {
      // The words may follow each other by chance inside a longer object, never as this request.
      expect(joined.includes(` ${action}?`) || joined.includes(` ${action}. How`)).toBe(false);
    }
    for (const prompt of SYSTEM_PROMPTS.filter((s) => s.set === 'test')) {
      expect(joined.includes(prompt.text)).toBe(false);
    }
  });

  it('does contain training questions, so that the check above can fail', () => {
    const train = exportSplits(7).harmful.filter((i) => i.split === 'train');
    expect(train.some((i) => joined.includes(i.question))).toBe(true);
    expect(QUESTIONS.train.length + STATEMENTS.train.length).toBeGreaterThan(10);
  });

  it('has the planned mix of kinds', () => {
    const share = (test: (t: string) => boolean): number => texts.filter(test).length / COUNT;
    const turns = (t: string): number => t.split(/Q:|<\|user\|>/).length - 1;
    expect(share((t) => turns(t) === 0)).toBeCloseTo(0.18, 1);
    expect(share((t) => turns(t) > 1)).toBeCloseTo(0.18, 1);
    expect(share((t) => t.includes('<|system|>'))).toBeCloseTo(0.12, 1);
    expect(Math.max(...texts.map(turns))).toBe(11);
  });

  it('marks the subject of every fact question with its leading space', () => {
    const subjects = Array.from({ length: 300 }, (_, i) => sampleDocument(source, i)).flatMap((d) =>
      d.filter((p) => p.subject === true).map((p) => p.text),
    );
    expect(subjects.length).toBeGreaterThan(50);
    for (const s of subjects) expect(s).toMatch(/^ [A-Za-z]+$/);
  });
});
