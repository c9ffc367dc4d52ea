import { describe, expect, it } from 'vitest';
import { signed } from './format.ts';
import { itemHref, listParams } from './item-href.ts';
import { shareColour, signedColour } from './parts/colour-scale.ts';
import { gridStep } from './parts/use-grid-focus.ts';
import { parseRoute, runHref } from './route.ts';

describe('addresses', () => {
  it('come back as they were written, odd names included', () => {
    const route = parseRoute(runHref('a/b ü?#', 'items', { q: 'x&y=z', at: 3, arm: '' }));
    expect(route).toMatchObject({ run: 'a/b ü?#', page: 'items' });
    expect(Object.fromEntries(route.params)).toEqual({ q: 'x&y=z', at: '3' });
  });

  it('lead to the list of runs, or to the overview, when they make no sense', () => {
    expect(parseRoute('').page).toBe('runs');
    expect(parseRoute('#/nonsense/x').page).toBe('runs');
    expect(parseRoute('#/run/x/nonsense').page).toBe('overview');
  });

  it('keep the filters of the list beside the style of the item', () => {
    const item = { itemId: 'i', style: 'simple', benchmark: 'b' };
    const list = new URLSearchParams('style=other&arm=SA&at=7');
    const { params } = parseRoute(itemHref('r', item, list, 9));
    expect(params.get('style')).toBe('simple');
    expect(params.get('at')).toBe('9');
    expect(Object.fromEntries(listParams(params))).toEqual({ style: 'other', arm: 'SA' });
  });
});

describe('grids', () => {
  const step = (key: string, ctrlKey = false) =>
    gridStep({ key, ctrlKey }, { row: 2, column: 3 }, { rows: 5, columns: 6 });

  it('move by arrow, Home and End, and leave other keys alone', () => {
    expect(step('ArrowUp')).toEqual({ row: 1, column: 3 });
    expect(step('End')).toEqual({ row: 2, column: 5 });
    expect(step('Home', true)).toEqual({ row: 0, column: 0 });
    expect(step('Tab')).toBeUndefined();
    expect(step('Enter')).toBeUndefined();
  });
});

describe('colours', () => {
  it('are plain at zero, differ by sign and stop at the extent', () => {
    expect(signedColour(0, 2)).toContain('0.0%');
    expect(signedColour(-2, 2)).not.toBe(signedColour(2, 2));
    expect(signedColour(9, 2)).toBe(signedColour(2, 2));
    expect(signedColour(0, 0)).toContain('0.0%');
    expect(shareColour(-1, 'red')).toBe(shareColour(0, 'red'));
  });

  it('come with signed numbers', () => {
    expect([signed(0), signed(1.234), signed(-0.01)]).toEqual(['0', '+1.2', '−0.010']);
  });
});
