import { describe, expect, it } from 'vitest';
import { checkRequest } from './edit-request.ts';

const good = { prompt: 'The capital of {} is', subject: 'France', targetNew: 'Lisbon' };

describe('checkRequest', () => {
  it('adds the space before the target, once', () => {
    expect(checkRequest(good).targetNew).toBe(' Lisbon');
    expect(checkRequest({ ...good, targetNew: ' Lisbon' }).targetNew).toBe(' Lisbon');
  });

  it.each([
    { ...good, prompt: 'The capital of France is' },
    { ...good, prompt: '{} or {}' },
    { ...good, subject: ' ' },
    { ...good, targetNew: '' },
  ])('refuses %j', (request) => {
    expect(() => checkRequest(request)).toThrowError(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });
});
