import { describe, expect, it } from 'vitest';
import { createProgressLine, formatProgress } from './progress-line.ts';

describe('progress', () => {
  it('shows items, rate and time left', () => {
    const line = formatProgress({ phase: 'judge', done: 50, total: 100 }, { seconds: 5, done: 50 });
    expect(line).toBe('judge: 50/100 · 10.0/s · 5 s left');
  });

  it('writes plain lines where there is no terminal, and the last one always', () => {
    const lines: string[] = [];
    const stream = { isTTY: false, write: (text: string) => lines.push(text) };
    const progress = createProgressLine(stream as unknown as NodeJS.WriteStream);
    for (let done = 1; done <= 200; done += 1) progress.update({ phase: 'work', done, total: 200 });
    progress.end();
    expect(lines).toHaveLength(2);
    expect(lines.at(-1)).toMatch(/^work: 200\/200/);
    expect(lines.join('')).not.toContain('\r');
  });
});
