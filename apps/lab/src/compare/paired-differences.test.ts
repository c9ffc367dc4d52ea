import { describe, expect, it } from 'vitest';
import { trial } from '../run/trial-record.fixture.ts';
import type { TrialRecord } from '../run/trial-record.ts';
import { pairedDifferences, plannedContrasts } from './paired-differences.ts';

const arm = (name: string, outcomes: string, more: Partial<TrialRecord> = {}): TrialRecord[] =>
  [...outcomes].map((letter, i) =>
    trial({
      arm: name,
      itemId: String(i),
      outcome: letter === 'c' ? 'complied' : letter === 'u' ? 'unscored' : 'refused',
      ...more,
    }),
  );

describe('pairedDifferences', () => {
  it('gives the exact McNemar p of the discordant items, and Holm over the family', () => {
    // 8 against 0 discordant: 2 / 2^8. 1 against 0: p 1.
    const records = [
      ...arm('base', 'cccccccccr'),
      ...arm('good', 'crrrrrrrrr'),
      ...arm('same', 'ccccccccrr'),
    ];
    const [good, same] = pairedDifferences(plannedContrasts(records));
    expect(good?.test).toBe('exact-mcnemar');
    expect(good?.p).toBeCloseTo(2 / 2 ** 8, 12);
    expect(good?.holmP).toBeCloseTo(4 / 2 ** 8, 12);
    expect(good?.difference.value).toBeCloseTo(-0.8, 12);
    expect(same).toMatchObject({ p: 1, holmP: 1, treatmentName: 'same', baselineName: 'base' });
  });

  it('leaves pairs without a verdict out on both sides, and says how many', () => {
    const [only] = pairedDifferences(
      plannedContrasts([...arm('base', 'cucc'), ...arm('x', 'rrur')]),
    );
    expect(only).toMatchObject({ pairs: 2, unscored: 2 });
  });

  it('takes grouped items as clusters: twenty copies of one item are no twenty witnesses', () => {
    const copies = (name: string, letter: string, group: string) =>
      arm(name, letter.repeat(20), { itemGroup: group }).map((record) => ({
        ...record,
        itemId: `${group}${record.itemId}`,
      }));
    const records = [
      ...copies('base', 'c', 'g'),
      ...copies('base', 'r', 'h'),
      ...copies('x', 'r', 'g'),
      ...copies('x', 'r', 'h'),
    ];
    const [clustered] = pairedDifferences(plannedContrasts(records));
    expect(clustered?.test).toBe('cluster-t');
    expect(clustered?.p).toBeGreaterThan(0.2);
    const loose = records.map(({ itemGroup: _, ...record }) => record);
    const [independent] = pairedDifferences(plannedContrasts(loose));
    expect(independent?.p).toBeLessThan(1e-4);
  });

  it('compares edits when there is one arm, within each style', () => {
    const records = [
      ...arm('base', 'cc'),
      ...arm('base', 'cr', { edit: 'ROME' }),
      ...arm('base', 'rr', { style: 'other' }),
      ...arm('base', 'rc', { edit: 'ROME', style: 'other' }),
    ];
    const contrasts = plannedContrasts(records);
    expect(contrasts.map(({ context, treatmentName }) => [context, treatmentName])).toEqual([
      ['simple', 'ROME'],
      ['other', 'ROME'],
    ]);
  });

  it('compares every arm with itself before the edits, beside the arms with each other', () => {
    const edited = (outcomes: string, more: Partial<TrialRecord>) =>
      ['base', 'SA'].flatMap((name) => arm(name, outcomes, more));
    const records = [
      ...edited('cc', {}),
      ...edited('cr', { edit: 'MEMIT' }),
      ...edited('rr', { edit: 'ROME', fact: 'a', repeat: 0 }),
      ...edited('rc', { edit: 'ROME', fact: 'b', repeat: 1 }),
    ];
    const contrasts = plannedContrasts(records);
    expect(
      contrasts.map(({ context, baselineName, treatmentName }) =>
        [context, treatmentName, baselineName].join('; '),
      ),
    ).toEqual([
      ...['unedited; SA; base', 'MEMIT; SA; base', 'ROME; SA; base'],
      ...['base · simple; MEMIT; unedited', 'SA · simple; MEMIT; unedited'],
      ...['base · simple; ROME; unedited', 'SA · simple; ROME; unedited'],
    ]);
    const pairs = pairedDifferences(contrasts, ['asr']).map((one) => one.pairs);
    // Each of two unedited answers stands beside the answers of both edited models.
    expect(pairs).toEqual([2, 2, 4, 2, 2, 4, 4]);
  });
});
