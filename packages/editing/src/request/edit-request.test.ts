import { describe, expect, it } from 'vitest';
import { checkRequest } from './edit-request.ts';

const good = { prompt: 'The capital of {} is', subject: 'France', targetNew: 'Lisbon' };

describe('checkRequest', () => {
  it('adds the space before the target, once', () => {
    expect(checkRequest(good).targetNew).toBe(' Lisbon');
    expect(checkRequest({ ...good, targetNew: ' Lisbon' }).targetNew).toBe(' Lisbon');
  });

  it('makes the hole where the subject is written out once', () => {
    expect(checkRequest({ ...good, prompt: 'The capital of France is' })).toEqual(
      checkRequest(good),
    );
    // A subject that looks like a replacement pattern stays as it is.
    expect(checkRequest({ ...good, prompt: 'I owe $& to', subject: '$&' }).prompt).toBe(
      'I owe {} to',
    );
  });

  it('offers no fact token as a remedy for an absent subject: none would help', () => {
    expect(() => checkRequest({ ...good, prompt: 'The capital of Spain is' })).toThrowError(
      expect.objectContaining({
        hint: 'write {} where the subject stands, or spell the subject as in the prompt',
      }),
    );
  });

  it.each([
    [{ ...good, prompt: 'The capital of Spain is' }, /does not contain the subject/],
    [{ ...good, prompt: 'France, France: its capital is' }, /2 times/],
    [{ ...good, prompt: '{} or {}' }, /2 holes/],
    [{ ...good, subject: ' ' }, /subject is empty/],
    [{ ...good, subject: 'France ' }, /spaces around it/],
    [{ ...good, prompt: 'The capital of {} is ' }, /ends in a space/],
    [{ ...good, targetNew: '' }, /target is empty/],
    [{ ...good, targetNew: 'a {}' }, /has a hole/],
  ])('refuses %j', (request, message) => {
    expect(() => checkRequest(request)).toThrowError(
      expect.objectContaining({
        code: 'BAD_ARGUMENT',
        message: expect.stringMatching(message) as string,
        hint: expect.stringMatching(/\w/) as string,
      }),
    );
  });
});
