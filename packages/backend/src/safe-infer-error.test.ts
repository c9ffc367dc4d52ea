import { describe, expect, it } from 'vitest';
import { SafeInferError, throwIfAborted } from './safe-infer-error.ts';

describe('SafeInferError', () => {
  it('is recognised by its marker, not by its class', () => {
    const error = new SafeInferError('no', { code: 'BAD_CONFIG', hint: 'fix it' });
    expect(SafeInferError.isInstance(error)).toBe(true);
    expect(SafeInferError.isInstance(new Error('no'))).toBe(false);
    expect(error.code).toBe('BAD_CONFIG');
  });

  it('carries the reason of an abort', () => {
    const controller = new AbortController();
    expect(() => throwIfAborted(controller.signal)).not.toThrow();
    controller.abort('enough');
    expect(() => throwIfAborted(controller.signal)).toThrowError(
      expect.objectContaining({ code: 'ABORTED', cause: 'enough' }),
    );
  });
});
