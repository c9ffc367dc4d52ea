import { describe, expect, it } from 'vitest';
import { maskText } from './mask-text.ts';

describe('maskText', () => {
  it('hides everything behind the first characters', () => {
    const masked = maskText('How do I do a thing that must not be read?');
    expect(masked).toBe('How do I do … [30 characters masked]');
    expect(masked).not.toContain('thing');
  });

  it('hides short texts whole', () => {
    expect(maskText('twelve chars')).toBe('[masked]');
    expect(maskText(' \n')).toBe('(empty)');
  });
});
