import { describe, expect, it } from 'vitest';
import { label, layerTicks, svg, textWidth, tickText, valueTicks } from './svg.ts';

describe('ticks', () => {
  it.each([
    [0, 1, ['0', '0.2', '0.4', '0.6', '0.8', '1']],
    [-0.066, 0.89, ['0', '0.2', '0.4', '0.6', '0.8']],
    [-0.3, 0.2, ['-0.3', '-0.2', '-0.1', '0', '0.1', '0.2']],
    [0, 2e-4, ['0', '0.00005', '0.0001', '0.00015', '0.0002']],
  ])('from %f to %f are round numbers', (low, high, texts) => {
    expect(valueTicks(low, high).map(tickText)).toEqual(texts);
  });

  it('stay few, however many layers', () => {
    expect(layerTicks(8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(layerTicks(80)).toHaveLength(12);
  });
});

describe('a picture', () => {
  it('is as wide as its title, and escapes text', () => {
    const title = 'a title of many words that is wider than what it stands above';
    const picture = svg({ width: 10, height: 10 }, title, [label({ x: 0, y: 0, text: '<&"' })]);
    expect(Number(/width="(\d+)"/.exec(picture)![1])).toBeGreaterThan(textWidth(title));
    expect(picture).toContain('&lt;&amp;&quot;');
  });
});
